"""Versions: what older code enqueued fits, and what newer code enqueued waits for it."""

from penstock import Penstock, Window
from serving import URL, working


def split(given: dict) -> dict:
    first, _, last = given.pop("name").partition(" ")
    return {"first": first, "last": last}


def yesterday(app: Penstock):
    @app.task(name="greet")
    def greet(name: str) -> None:
        print(f"hello {name}", flush=True)

    return greet


def today(app: Penstock):
    @app.task(name="greet", version=3, upgrade={1: split, 2: lambda given: {"person": given}})
    def greet(person: dict[str, str]) -> None:
        print(f"hello {person['first']} of the house of {person['last']}", flush=True)

    return greet


if __name__ == "__main__":
    old, new = Penstock(URL), Penstock(URL)
    new.migrate()
    yesterday(old).enqueue("Ann Lee")
    job = today(new).enqueue({"first": "Bo", "last": "Ek"})
    old.drain(Window(total=20, headroom=1))                # a worker of before the deployment
    held = new.job(job.id)
    print(held.state, held.error_class, "attempts counted:", held.attempt)
    new.cancel(job.id, "or this program would wait for a minute")
    old.tasks["greet"].enqueue("Cy Doe")
    old.close()
    with working(new, default=1):
        pass
