"""A client for authors of connectors: one pool of connections, one way in which calls fail, and no secret in sight.

    from penstock.connectors import http

    class Shop(Sync[str]):
        def connect(self, account):
            return http.connect("https://api.example.com/v2", auth=http.Bearer(token_of(account)))

    class People(Layer[Person]):
        def create_one(self, change, run):
            reply = run.client.post(run, "/people", json=change.payload)
            return reply.outcome(id_in="id")

The invariant of this package: whatever becomes of a call leaves it as a `Reply` that is for its records to judge, as
`Throttled`, or as `Unavailable`, whose `sent` is False only where the call surely changed nothing.

    client      connect and Client: what a call is made of
    sending     one request over the wire, and its time
    deadline    the hard end of a call, whatever trickles in
    reply       one answer; as an outcome, as JSON, as an error
    faults      which answers and exceptions are the whole call's trouble
    retry       how long an answer asks to wait
    auth        Bearer, Basic and ApiKey
    oauth       ClientCredentials: tokens that are fetched, kept and renewed
    redaction   secrets, which no message repeats
    routes      paths with ids in them
    paging      reading lists by cursor, by offset and by link
    links       the Link header
    limited     a transport that spends permits, for clients of one's own
"""

from penstock.connectors.http.auth import ApiKey, Basic, Bearer
from penstock.connectors.http.client import Client, connect
from penstock.connectors.http.limited import AsyncLimitedTransport, LimitedTransport
from penstock.connectors.http.oauth import ClientCredentials
from penstock.connectors.http.reply import Reply

__all__ = ["ApiKey", "AsyncLimitedTransport", "Basic", "Bearer", "Client", "ClientCredentials", "LimitedTransport",
           "Reply", "connect"]
