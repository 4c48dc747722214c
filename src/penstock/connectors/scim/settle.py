"""Hands outcomes to the engine, with or without an error."""

from collections.abc import Sequence

from penstock.domain.errors import DestinationError, Stopping
from penstock.domain.records import Outcome


def settled(outcomes: Sequence[Outcome | None],
            failure: DestinationError | Stopping | None) -> Sequence[Outcome | None]:
    """The outcomes; or the failure, raised with the outcomes that were settled before it."""
    if failure is None:
        return outcomes
    failure.outcomes = tuple(outcomes)
    raise failure
