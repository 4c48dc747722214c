"""Answers the pushes of a Pub/Sub subscription, and is all that runs: there is no worker.

    gunicorn --threads 8 push:application       # on Cloud Run, with --timeout above PUSH_DEADLINE
    python push.py 8080                         # to try it out

A message says {"price": "…", "shop": "…"}. It is acknowledged once its request is in the store and all that is due has
been served; a push that ran out of time is answered 503, so that Pub/Sub pushes again and the rest has its turn.
"""

import base64
import hmac
import json
import logging
import os
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from penstock import PenstockError, Window
from penstock.domain.errors import ConfigurationError
from prices import ShopPrices, app

DEADLINE = float(os.environ.get("PUSH_DEADLINE", "60"))     # ackDeadlineSeconds of the subscription
TOKEN = os.environ["PUSH_TOKEN"]                            # of its URL: …/push?token=…
WINDOW = Window(total=DEADLINE * 0.9, headroom=DEADLINE * 0.3)
LARGEST = 10_000_000
ENDING = threading.Event()                                  # Cloud Run gives 10 s: PENSTOCK_GRACE_SECONDS=8

ACKNOWLEDGED, AGAIN = "204 No Content", "503 Service Unavailable"


def application(environ, start_response):
    status = answer(environ)
    start_response(status, [] if status == ACKNOWLEDGED else [("Content-Length", "0")])
    return [b""]


def answer(environ) -> str:
    if not hmac.compare_digest(environ.get("QUERY_STRING", "").encode(), f"token={TOKEN}".encode()):
        return "403 Forbidden"
    if environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"] not in ("/push", "/drain"):
        return "404 Not Found"
    try:
        if environ["PATH_INFO"] == "/push":
            requested(environ)
        report = app.drain(WINDOW, stopping=ENDING)
    except PenstockError:
        logging.exception("not served")
        return AGAIN                    # the store is away: the message comes again
    due_now = report.next_due is not None and report.next_due <= datetime.now(UTC) + timedelta(seconds=1)
    return AGAIN if report.remaining and due_now else ACKNOWLEDGED


def requested(environ) -> None:
    """Write down what a message asks for. One that makes no sense would make no more if it came again."""
    try:
        body = environ["wsgi.input"].read(min(int(environ["CONTENT_LENGTH"]), LARGEST))
        message = json.loads(body)["message"]
        asked = json.loads(base64.b64decode(message["data"], validate=True))
        price, shop = str(asked["price"]), str(asked["shop"])
        ShopPrices.using(reason=f"message {message['messageId']}").request(price, account=shop)
    except (ConfigurationError, KeyError, TypeError, ValueError):
        logging.exception("dropped a message")


class Server(ThreadingMixIn, WSGIServer):
    """Its end waits for the answers that are under way."""


class Quiet(WSGIRequestHandler):
    def log_message(self, *args) -> None: ...


def end(number, frame) -> None:
    """End softly: what runs stops at a checkpoint, and its messages come again."""
    ENDING.set()
    threading.Timer(0.0, server.shutdown).start()


if __name__ == "__main__":
    with app, make_server("127.0.0.1", int(sys.argv[1]), application, Server, Quiet) as server:
        app.migrate()
        signal.signal(signal.SIGTERM, end)
        print(f"listening on {server.server_port}", flush=True)
        server.serve_forever()
