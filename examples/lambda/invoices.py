"""The invoices of many customers, each in step with that customer's ledger, which is reached over HTTP."""

import os
from dataclasses import dataclass

from penstock import Penstock, Window
from penstock.connectors import SQLSource, http
from penstock.sync import Layer, Sync

OFFICE = os.environ["OFFICE"]
LEDGERS = os.environ["LEDGERS_URL"]
app = Penstock(os.environ["PENSTOCK_URL"])


@dataclass
class Invoice:
    number: str
    cents: int


class Invoices(Layer[Invoice]):
    key, on_delete = "number", "keep"   # what was once posted stays posted
    idempotent = True                   # an invoice that is put twice is one invoice
    source = SQLSource(OFFICE, "select number, cents from invoice where number = :subject", key="number")

    def render(self, invoice, run):
        return {"cents": invoice.cents}

    def create_one(self, change, run):
        return run.client.put(run, "/invoices/{}", change.key, json=change.payload).outcome(change.key)

    update_one = create_one


@app.sync("invoices", max_concurrent=20, window=Window(total=800, headroom=100))
class Posting(Sync[str]):
    """One run per invoice; of each customer one at a time, in the order in which they were asked for."""

    layers = [Invoices]

    def subjects(self):
        yield from ()                   # every request says whose invoice it is

    def connect(self, account):
        return http.connect(LEDGERS, headers={"Customer": account}, timeout=20)
