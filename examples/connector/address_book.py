"""The API that the connector is for, as a server for its tests."""
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class AddressBook:
    """What the server holds. While it is `torn`, pages of people lose their last one."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.people, self.contacts, self.numbers, self.torn = [], {}, 0, False

    def answer(self, method, path, query, body):
        match method, path.strip("/").split("/"):
            case "GET", ["teams", _, "people"]:
                start, size = int(query["offset"][0]), int(query["limit"][0])
                page = self.people[start:start + size]
                return 200, {"people": page[:-1] if self.torn else page, "total": len(self.people)}
            case "GET", ["contacts"]:
                return 200, {"contacts": [each for each in self.contacts.values() if each["email"] in query["email"]]}
            case "POST", ["contacts"]:
                return 201, {"contacts": [self.added(each) for each in body]}
            case "PUT", ["contacts", id] if id in self.contacts:
                self.contacts[id] = {**body, "id": id}
                return 200, self.contacts[id]
            case "DELETE", ["contacts", id] if id in self.contacts:
                return 200, self.contacts.pop(id)
        return 404, {"error": "no such contact"}

    def added(self, contact):
        self.numbers += 1
        id = f"c{self.numbers}"
        self.contacts[id] = {**contact, "id": id}
        return self.contacts[id]


@contextmanager
def serving(book):
    """The URL of a server that holds the book."""

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1       # an answer in one packet

        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            status, answer = book.answer(self.command, parts.path, parse_qs(parts.query), json.loads(body or b"null"))
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_DELETE = do_GET      # noqa: N815 - the names that http.server asks for

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
