"""The policy: which pending runs may begin. Pure, over the heads of the accounts that have any."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Head:
    """The first pending run of one account of one sync."""

    run_id: int
    sync: str
    subject: str
    account: str
    priority: int
    requested_at: int


@dataclass(frozen=True, slots=True)
class Room:
    """How many runs of a sync may be under way, in all and for each account."""

    max_concurrent: int
    per_account: int


@dataclass(frozen=True, slots=True)
class Decision:
    """Admit or hold, with the reason in words."""

    head: Head
    admit: bool
    reason: str


def decide(heads: Iterable[Head], running: Mapping[tuple[str, str], int], rooms: Mapping[str, Room]) -> list[Decision]:
    """Decide for each head, the most urgent first; `running` counts runs under way by (sync, account)."""
    by_account = dict(running)
    by_sync: dict[str, int] = {}
    for (sync, _), count in running.items():
        by_sync[sync] = by_sync.get(sync, 0) + count
    decisions = []
    for head in sorted(heads, key=lambda head: (-head.priority, head.requested_at, head.run_id)):
        room = rooms.get(head.sync)
        account = (head.sync, head.account)
        if room is None:
            decisions.append(Decision(head, False, f"no worker declares the sync {head.sync!r}"))
        elif by_sync.get(head.sync, 0) >= room.max_concurrent:
            decisions.append(Decision(head, False, f"{room.max_concurrent} runs of {head.sync} are under way"))
        elif by_account.get(account, 0) >= room.per_account:
            decisions.append(Decision(head, False, f"account {head.account} has {room.per_account} under way"))
        else:
            by_sync[head.sync] = by_sync.get(head.sync, 0) + 1
            by_account[account] = by_account.get(account, 0) + 1
            decisions.append(Decision(head, True, "there is room"))
    return decisions
