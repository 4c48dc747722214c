"""The customers of a shop, read page by page from its API, into the subscribers of a newsletter's API.

    export PENSTOCK_APP=newsletter:app
    penstock sync newsletter
"""
import os
from dataclasses import dataclass
from functools import cache

from penstock import Penstock
from penstock.connectors import http
from penstock.sync import Layer, Subject, Sync

SHOP = os.environ.get("SHOP_URL", "https://shop.example.com/api")
NEWSLETTER = os.environ.get("NEWSLETTER_URL", "https://newsletter.example.com/v1")
app = Penstock(os.environ.get("PENSTOCK_URL", "sqlite:///penstock.db"))


@cache                                  # kept between runs, and its token with it
def credentials(account):
    return http.ClientCredentials(f"{NEWSLETTER}/token", client_id=account,
                                  client_secret=os.environ["NEWSLETTER_SECRET"], scope="subscribers")


@dataclass
class Customer:
    id: int
    email: str
    name: str


class Subscribers(Layer[Customer]):
    key, match, batch_size = "id", "email", 50
    idempotency_keys = True             # the newsletter knows a create that is sent twice by its Idempotency-Key

    def source(self, run):
        with http.connect(SHOP, auth=http.ApiKey(os.environ["SHOP_KEY"])) as shop:
            return (yield from shop.by_cursor(run, "/lists/{}/customers", run.subject.key,
                                              items="customers", cursor="next", param="after"))

    def render(self, customer, run):
        return {"email": customer.email, "name": customer.name}

    def create_one(self, change, run):
        reply = run.client.post(run, "/subscribers", json=change.payload, idempotency_key=change.idempotency_key)
        return reply.outcome(id_in="subscriber.id")

    def update_one(self, change, run):
        reply = run.client.patch(run, "/subscribers/{}", change.remote_id, json=change.payload)
        return reply.outcome(change.remote_id, gone=(404,))

    def delete_one(self, change, run):
        return run.client.delete(run, "/subscribers/{}", change.remote_id).outcome(change.remote_id, gone=(404,))

    def find(self, emails, run):
        found = {}
        for email in emails:
            for each in run.client.get(run, "/subscribers", params={"email": email}).object()["subscribers"]:
                found.setdefault(email, []).append(each["id"])
        return found


@app.sync("newsletter")
class Newsletter(Sync[str]):
    layers = [Subscribers]

    def subjects(self):
        yield Subject("regulars", account="tea-shop")

    def connect(self, account):
        return http.connect(NEWSLETTER, auth=credentials(account), timeout=20)
