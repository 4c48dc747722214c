"""A connector for the API of an address book, as its author writes it: a source and a destination.

    class People(Layer[dict]):
        key, match = "id", "email"
        source, destination = contacts.People(), contacts.Contacts()
"""
from penstock.connectors import http
from penstock.domain.records import Rejected


def connect(url, token):
    """For a sync's `connect`."""
    return http.connect(url, auth=http.Bearer(token), timeout=10)


class People:
    """The people of the run's subject, in pages. Its total tells a page that lost some of them."""

    def pages(self, run, size):
        people = run.client.by_offset(run, "/teams/{}/people", run.subject.key, items="people", size=size, total="total")
        page, proof = [], None
        while True:
            try:
                page.append(next(people))
            except StopIteration as stop:
                proof = stop.value
                break
            if len(page) == size:
                yield page
                page = []
        if page:
            yield page
        return proof


class Contacts:
    """Contacts, known by their e-mail addresses, of which the API keeps no two apart."""

    counts_calls = True

    def create(self, changes, run):
        reply = run.client.post(run, "/contacts", json=[change.payload for change in changes])
        if not reply.ok:
            return [Rejected(str(reply.status), reply.said())] * len(changes)
        return [reply.outcome(contact["id"]) for contact in reply.object()["contacts"]]

    def update(self, changes, run):
        return [run.client.put(run, "/contacts/{}", change.remote_id, json=change.payload)
                .outcome(change.remote_id, gone=(404,)) for change in changes]

    def delete(self, changes, run):
        return [run.client.delete(run, "/contacts/{}", change.remote_id)
                .outcome(change.remote_id, gone=(404,)) for change in changes]

    def find(self, emails, run):
        found = {}
        for contact in run.client.get(run, "/contacts", params={"email": list(emails)}).object()["contacts"]:
            found.setdefault(contact["email"], []).append(contact["id"])
        return found
