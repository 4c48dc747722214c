"""One CRM, 50 calls a second, whoever makes them: a web page, a job, a script.

    export PENSTOCK_APP=crm:app
    penstock worker &
    python crm.py
    penstock limits
"""
import os

from penstock import Concurrency, Penstock, Rate
from penstock.connectors import http

CRM = os.environ["CRM_URL"]
app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///crm.db"))
app.limits(Rate(50, per="second", by="crm"), Concurrency(4, by="crm"))


def contact(number: int) -> str:
    """What a page shows: each request waits for its turn, and a 429 closes the gate for everybody."""
    with http.connect(CRM, limit=app.limit("crm")) as client:
        return client.get(None, "/contacts/{}", number).json()["name"]


@app.task
def greet(number: int) -> None:
    """A job whose limit is closed goes again when it opens, at no attempt."""
    print(f"Dear {contact(number)}")


if __name__ == "__main__":
    with app:
        for number in range(100):
            greet.enqueue(number)
