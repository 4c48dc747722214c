"""Receives alerts over HTTP, checks who they are from, and prints each change once.

    PORT=8700 SECRET='a long random text' python receiver.py
"""
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from penstock.alerts.webhook import IDENTITY, SIGNATURE, verified


class Receiver(ThreadingHTTPServer):
    """Keeps the ids that it has seen: an alert may be told twice."""

    def __init__(self, port: int, secret: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.secret = secret
        self.seen: set[str] = set()

    def show(self, alert: dict) -> None:
        print(f"{alert['state']}: {alert['summary']}", flush=True)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not verified(self.server.secret, body, self.headers[SIGNATURE]):
            return self.answer(401)
        if self.headers[IDENTITY] not in self.server.seen:
            self.server.show(json.loads(body))
            self.server.seen.add(self.headers[IDENTITY])   # once it is dealt with, and not before
        self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


if __name__ == "__main__":
    Receiver(int(os.environ["PORT"]), os.environ["SECRET"]).serve_forever()
