"""What a server saw: every call, and every operation of the calls that were carried out."""

from typing import NamedTuple


class Call(NamedTuple):
    """One request. `status` is None where its connection was closed without an answer.

    `route` is `operations`, `search` or `page`, `operations` how many it carried, `carried_out` whether they were (each
    in its own right), `fault` the one that met it, `at` in seconds of the server's clock.
    """

    number: int
    at: float
    route: str
    customer: str
    token: str
    kind: str | None
    operations: int
    status: int | None
    carried_out: bool
    fault: str | None


class Operated(NamedTuple):
    """One operation. `code` says why it was refused; then, and where nothing was left of it, there is no id."""

    call: int
    customer: str
    kind: str
    verb: str
    id: int | None
    reference: str | None
    code: str | None


class Log:
    """Grows as long as the server lives, unless it is cleared."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.operations: list[Operated] = []

    def clear(self) -> None:
        self.calls.clear()
        self.operations.clear()
