"""Validity: what has become pointless is not searched for. It settles by itself, with its reason, in its turn."""

from datetime import timedelta

from penstock import Penstock
from serving import URL, working

app = Penstock(URL)
unsubscribed = {"bob@example.com"}


def wants_mail(offer: int, address: str) -> bool:
    """Called with the job's arguments, by their names, just before its body."""
    return address not in unsubscribed


@app.task(queue="mail", valid_if=wants_mail)
def remind(offer: int, address: str) -> None:
    print(f"reminded {address} of offer {offer}", flush=True)


if __name__ == "__main__":
    soon = timedelta(seconds=0.3)
    app.migrate()
    reminder = remind.using(run_after=soon, tags=["offer:7"])
    app.enqueue_many(reminder.call(7, "ann@example.com") for _ in range(1_000))
    app.invalidate("offer:7")  # redeemed: one row is written, however many reminders wait
    reminder.enqueue(7, "ann@example.com")  # of a later offer 7
    remind.enqueue(8, "bob@example.com")  # who has unsubscribed
    unwanted = remind.using(run_after=timedelta(days=1)).enqueue(9, "ann@example.com")
    print("cancelled at once:", app.cancel(unwanted.id, reason="asked for by ann"))
    remind.using(deadline=timedelta(seconds=-1)).enqueue(10, "ann@example.com")  # too late already
    with working(app, mail=2):
        pass
    for count in app.counts():
        print(count.jobs, count.state)
    app.close()
