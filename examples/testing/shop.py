"""A shop that reminds people of offers, and charges them for what they buy."""

import os
from datetime import timedelta

from penstock import Cancel, Penstock, RetryPolicy, Snooze

app = Penstock(os.environ.get("SHOP_STORE", "sqlite:///shop.db"))
closed: set[int] = set()
outbox: list[str] = []


@app.task(queue="mail", valid_if=lambda offer, address: offer not in closed)
def remind(offer: int, address: str) -> None:
    outbox.append(f"{address}: offer {offer} is waiting")


@app.task(retry=RetryPolicy(max_attempts=2))
def charge(customer: str, pence: int) -> Snooze | Cancel | None:
    """Charge a customer, tomorrow if the bank is closed."""
    if pence <= 0:
        raise ValueError(f"expected something to charge, got {pence}")
    if pence > 100_000:
        return Snooze(timedelta(days=1), "the bank is closed")
    outbox.append(f"{customer}: charged {pence}")
    return None


@app.task
async def offer_made(offer: int, address: str) -> None:
    """Remind after one, three and seven days."""
    for days in (1, 3, 7):
        await remind.using(run_after=timedelta(days=days), tags=[f"offer:{offer}"]).aenqueue(offer, address)


def redeem(offer: int) -> None:
    app.invalidate(f"offer:{offer}")


app.periodic("report", charge.call("the-house", 1), cron="0 3 * * *")
