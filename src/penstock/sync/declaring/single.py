"""Verbs for a single change, made into verbs for a batch.

What earlier changes of the batch came to is never lost by what a later one does: an exception leaves with their
outcomes, and with the word that those behind it were not sent.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from penstock.domain.errors import Refused, StaleLease, Throttled, Unavailable
from penstock.domain.records import Change, Outcome, Rejected

Outcomes = list[Outcome | None]


def singly(one: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A verb that calls `one(change, run)` for each change; `async def` if that is."""
    if inspect.iscoroutinefunction(one):
        async def averb(changes: Sequence[Change], run: Any) -> Outcomes:
            outcomes: Outcomes = []
            for change in changes:
                with _told(outcomes):
                    outcomes.append(await one(change, run))
            return outcomes

        return averb

    def verb(changes: Sequence[Change], run: Any) -> Outcomes:
        outcomes: Outcomes = []
        for change in changes:
            with _told(outcomes):
                outcomes.append(one(change, run))
        return outcomes

    return verb


@contextmanager
def _told(outcomes: Outcomes) -> Iterator[None]:
    """Turn what one change raises into its outcome, or let it end the batch with what is known of it."""
    try:
        yield
    except Refused as error:
        outcomes.append(Rejected(error.code, f"{error}"))
    except StaleLease:
        raise
    except Exception as error:
        sent = error.sent if isinstance(error, Unavailable) else not isinstance(error, Throttled)
        # Only this change is in doubt, if any; those behind it were surely not sent.
        vars(error).update(outcomes=[*outcomes, None] if sent else outcomes, sent=False)
        raise
