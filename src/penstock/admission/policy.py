"""The policy: which waiting work may begin. Pure, over the heads of the lines that have a turn.

A line's turn counts from when its head became due, or from when the line was last served if that is later, less a
minute for each point of priority. So urgent work goes first, nothing waits for ever, and a line of a million gives way
to a line of one as soon as it has been served. Nobody decides by any other rule: `penstock why` shows the reasons that
are given here.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

import msgspec

MINUTE_MS = 60_000
AHEAD_US = 250_000
"""How long before its permits are there a job of a limited line may be admitted: it is not to wait for a dispatcher."""


class Piece(msgspec.Struct, frozen=True, gc=False):
    """A job or a run that waits.

    `rank` is when it became due (milliseconds since 1970), less a minute for each point of priority. A job may count
    against a second key, `also`, of which `also_most` may run.
    """

    id: int
    rank: int
    priority: int = 0
    also: str | None = None
    also_most: int | None = None


class Line(msgspec.Struct, frozen=True, gc=False):
    """A line with its first pieces, in their order. `most` is how many of it may run at a time (None: any number)."""

    name: str
    room: str
    pieces: tuple[Piece, ...]
    running: int = 0
    most: int | None = None
    account: str | None = None
    served_at: int | None = None
    gates: tuple[str, ...] = ()
    pace_us: int | None = None
    paced_us: int | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """How much more of a sync or a queue may be admitted, and why no more than that."""

    free: int
    full: str


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate that is not open. `probe`: one piece may go through, to see whether it may open again."""

    until_at: int | None = None
    reason: str | None = None
    probe: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What else the policy sees: `running` of second keys; gates that are not open, by key; what is paused."""

    now: int
    rooms: Mapping[str, Room]
    running: Mapping[str, int] = field(default_factory=dict)
    gates: Mapping[str, Gate] = field(default_factory=dict)
    paused: Collection[str] = ()


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Admit or hold one piece, with the reason in words. `turn` is the one that it had.

    `hold` says what its line waits for, if that is neither room nor a place (`gate:KEY`, `also:LINE`, `pace`), and
    `until_at` until when, where that is known. `paced_us` is when the line's next permit is due after this one.
    """

    line: Line
    piece: Piece
    turn: int
    admit: bool
    reason: str
    hold: str | None = None
    until_at: int | None = None
    paced_us: int | None = None


def turn(piece: Piece, served_at: int | None, now: int) -> int:
    """When a line's turn with this head counts from. A clock that jumped back makes nobody wait for the future."""
    return max(piece.rank, min(served_at or 0, now) - piece.priority * MINUTE_MS)


def decide(lines: Iterable[Line], view: View) -> list[Decision]:
    """Decide on the pieces of lines, in the order of their turns; a line is left at its first piece that is held."""
    return _Deciding(view).through(list(lines))


def judge(line: Line, view: View) -> Decision:
    """Decide on one line by itself, as if it were its turn."""
    at = turn(line.pieces[0], line.served_at, view.now)
    return _Deciding(view).on(line, line.pieces[0], line.running, at, line.paced_us)


Held = tuple[str, str | None]
"""Why a piece is held, and what its line waits for if that is neither room nor a place."""


class _Deciding:
    """One pass of the policy, with what it has given so far."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._left = {name: room.free for name, room in view.rooms.items()}
        self._running = dict(view.running)
        self._probed: set[str] = set()

    def through(self, lines: list[Line]) -> list[Decision]:
        now = self._view.now
        turns = [(turn(line.pieces[0], line.served_at, now), line.pieces[0].id, place, 0, line.running, line.paced_us)
                 for place, line in enumerate(lines) if line.pieces]
        heapify(turns)
        decisions = []
        while turns:
            at, _, place, number, running, paced_us = heappop(turns)
            line = lines[place]
            decision = self.on(line, line.pieces[number], running, at, paced_us)
            decisions.append(decision)
            if decision.admit and number + 1 < len(line.pieces):
                piece = line.pieces[number + 1]
                heappush(turns, (turn(piece, now, now), piece.id, place, number + 1, running + 1, decision.paced_us))
        return decisions

    def on(self, line: Line, piece: Piece, running: int, at: int, paced_us: int | None) -> Decision:
        def held(reason: str, hold: str | None = None, until_at: int | None = None) -> Decision:
            return Decision(line, piece, at, False, reason, hold, until_at)

        room = self._view.rooms.get(line.room)
        if room is None:
            return held(f"no worker declares {line.room!r}")
        for check in (self._paused, self._place, self._gate, self._second_key):
            if found := check(line, piece, running):
                return held(*found)
        if self._left[line.room] <= 0:
            return held(room.full)
        next_us = None
        if line.pace_us is not None:
            next_us, until_at = self._paced(line.pace_us, paced_us)
            if until_at is not None:
                return held("its limit gives the next permit later", "pace", until_at)
        self._left[line.room] -= 1
        if piece.also is not None:
            self._running[piece.also] = self._running.get(piece.also, 0) + 1
        self._probed.update(key for key in line.gates if key in self._view.gates)
        return Decision(line, piece, at, True, "it is its turn, and there is room", paced_us=next_us)

    def _paused(self, line: Line, piece: Piece, running: int) -> Held | None:
        if line.name in self._view.paused:
            whose = line.name if line.account is None else f"account {line.account} of {line.room}"
            return f"{whose} is paused", "pause"
        if piece.also is not None and piece.also in self._view.paused:
            return f"{piece.also} is paused", f"also:{piece.also}"
        return None

    def _place(self, line: Line, piece: Piece, running: int) -> Held | None:
        if line.most is None or running < line.most:
            return None
        whose = f"account {line.account}" if line.account is not None else line.name
        return f"{whose} has {running} under way, and at most {line.most} may be", None

    def _gate(self, line: Line, piece: Piece, running: int) -> Held | None:
        for key in line.gates:
            gate = self._view.gates.get(key)
            if gate is not None and (not gate.probe or key in self._probed):
                return _shut(key, gate), f"gate:{key}"
        return None

    def _second_key(self, line: Line, piece: Piece, running: int) -> Held | None:
        if piece.also is None or piece.also_most is None:
            return None
        taken = self._running.get(piece.also, 0)
        if taken < piece.also_most:
            return None
        return f"{piece.also} has {taken} under way, and at most {piece.also_most} may be", f"also:{piece.also}"

    def _paced(self, pace_us: int, paced_us: int | None) -> tuple[int, int | None]:
        """When the permit after the next is due; and until when to wait for the next, if that is too early to begin.

        A permit that is due later than the pace allows is one of before the clock jumped back, and counts from now.
        """
        now_us = self._view.now * 1000
        due_us = max(paced_us or 0, now_us)
        if due_us > now_us + AHEAD_US + pace_us:
            due_us = now_us
        if due_us > now_us + AHEAD_US:
            return due_us, -(-(due_us - AHEAD_US) // 1000)
        return due_us + pace_us, None


def _shut(key: str, gate: Gate) -> str:
    why = f" ({gate.reason})" if gate.reason else ""
    return f"gate {key} is being tried{why}" if gate.probe else f"gate {key} is closed{why}"
