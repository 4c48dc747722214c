"""What else is known beside the traces themselves: which names there are, and the plans of their statements."""

from collections.abc import Collection

import msgspec

from penstock.observe.patterns.contract import PlanSeen
from penstock.store.port import Store

_FLAGS = msgspec.json.Decoder(list[str])


def kept_plans(store: Store, fingerprints: Collection[str], since: int) -> list[PlanSeen]:
    """The plans of statements that were seen since a time (milliseconds of the epoch), the last seen last."""
    if not fingerprints:
        return []
    rows = store.look("plans_kept", {"fingerprints": sorted(fingerprints), "since": since})
    return [PlanSeen(fingerprint=row[0], database=row[1] or None, shape=row[2], since=row[3], until=row[4],
                     flags=tuple(_FLAGS.decode(row[5])), text=row[6]) for row in rows]


def traced_names(store: Store, since: int) -> list[str]:
    """The names under which anything was traced since a time, whatever kinds bear them."""
    return [row[0] for row in store.look("traced_names", {"since": since})]
