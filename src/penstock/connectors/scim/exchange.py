"""Sends operations in the best way that the server offers, and finds the client that a run was given."""

from collections.abc import Sequence

from penstock.connectors.scim.bulk import send_in_bulk
from penstock.connectors.scim.client import Client
from penstock.connectors.scim.messages import Operation, Sent
from penstock.connectors.scim.singles import send_singly
from penstock.domain.errors import DeclarationError
from penstock.sync.declaring.ports import Run


def client_of(run: Run) -> Client:
    """The run's client; raises `DeclarationError` if the sync's `connect` gave something else."""
    if isinstance(run.client, Client):
        run.client.remaining = run.remaining
        run.client.permits = run.permits
        return run.client
    raise DeclarationError(f"a SCIM destination needs a client of scim.connect(url, token=…), got "
                           f"{type(run.client).__name__}; return one from the sync's connect(account)")


def send(run: Run, operations: Sequence[Operation]) -> Sent:
    """Send the operations in order, by /Bulk where the server has it; what failed is in the answer, not raised.

    Raises only while nothing has been sent: if the server cannot even say what it offers.
    """
    if not operations:
        return Sent([])
    client = client_of(run)
    if client.offers(run.calls).bulk:
        return send_in_bulk(client, run, operations)
    return send_singly(client, run, operations)
