"""The connector under the kit, which kills, throttles, tears and cuts off whatever there is."""
from contextlib import contextmanager

import pytest
from address_book import AddressBook, serving
from contacts import Contacts, People, connect

from penstock.sync import Layer
from penstock.testing.connectors import ConnectorCase, ConnectorChecks, FaultyProxy


def people(*numbers, name="Ada"):
    return [{"id": f"p{number}", "email": f"p{number}@example.com", "name": name} for number in numbers]


class ContactsCase(ConnectorCase):
    first = {"Friends": people(1, 2, 3, 4)}
    then = {"Friends": people(1, 3) + people(4, name="Bo") + people(5, 6)}      # adds, changes, removes, leaves alone

    def __init__(self, book, proxy):
        self.book, self.proxy = book, proxy

    def fresh(self):
        self.book.clear()

    def layers(self):
        class Friends(Layer[dict]):
            key, match = "id", "email"
            source, destination = People(), Contacts()

            def render(self, person, run):
                return {"email": person["email"], "name": person["name"]}

        return [Friends]

    def connect(self, account):
        return connect(self.proxy.url, token="secret")

    def put(self, records):
        self.book.people = list(records["Friends"])

    def held(self):
        return {"Friends": [(contact["email"], contact) for contact in self.book.contacts.values()]}

    @contextmanager
    def cut_short(self):
        self.book.torn = True
        yield
        self.book.torn = False


class TestContacts(ConnectorChecks):
    @pytest.fixture
    def connector_case(self):
        book = AddressBook()
        with serving(book) as url, FaultyProxy(url) as proxy:
            yield ContactsCase(book, proxy)
