"""One line as the policy judges it: with the very reason by which the dispatcher admits or holds its head."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from penstock.admission.policy import Decision, Gate, Line, Piece, Room, View, judge
from penstock.admission.why.answer import MOST, Answer, Waits, counted, moment
from penstock.domain.lines import spoken_line
from penstock.store.port import Transaction


@dataclass(frozen=True, slots=True)
class Judged:
    """A line with what the policy says of its head. `gates` are those that are not open; `served_id` the job that was
    admitted last: the holder of a serial key, while anything of its line is under way."""

    decision: Decision
    head_id: int
    served_id: int | None
    turn: int | None
    kind: str
    gates: Mapping[str, Gate]

    @property
    def waits(self) -> Waits:
        """What its head waits for."""
        hold = (self.decision.hold or "").partition(":")[0]
        kinds: dict[str, Waits] = {"gate": "gate", "pause": "paused", "pace": "pace", "also": "room"}
        return "turn" if self.decision.admit else kinds.get(hold, "room")

    @property
    def until_at(self) -> int | None:
        gate = self.gates.get((self.decision.hold or "").removeprefix("gate:"))
        return self.decision.until_at if gate is None else gate.until_at


def judged(tx: Transaction, name: str, room: Room | None, now: int, paused: set[str]) -> Judged | None:
    """The head of a line, judged with this room; None where nothing is known to wait in it yet.

    `room` None: as much as it likes. `paused` are the names of lines that are.
    """
    row = tx.row("why_line", {"line": name})
    if row is None or row[10] is None:
        return None
    kind, space, account, running, most, served_at, gates, pace_us, paced_us, rank, id, *rest = row
    priority, also, also_most, at, served_id = rest
    line = Line(name, space, (Piece(id, rank, priority or 0, also, also_most),), running, most, account, served_at,
                tuple(msgspec.json.decode(gates, type=list[str])) if gates else (), pace_us, paced_us)
    shut = {key: Gate(row[1], row[2]) for key in line.gates if (row := tx.row("why_gate", {"key": key}))}
    second = {row[0]: row[1] for row in tx.rows("lines_running", {"lines": [also]})} if also is not None else {}
    view = View(now, {space: room or Room(1, "")}, second, shut, paused)
    return Judged(judge(line, view), id, served_id if running else None, at, kind, shut)


def tell(tx: Transaction, answer: Answer, found: Judged, before: int, whats: str) -> None:
    """Say what something in a line waits for that has so many before it."""
    decision = found.decision
    ahead = "" if not before else f"{counted(before, whats)} {'is' if before == 1 else 'are'} before it in its line"
    if not decision.admit:
        answer.waits, answer.until_at = found.waits, found.until_at
        answer.reason = f"{ahead}, and {decision.reason}" if ahead else decision.reason
    elif ahead:
        answer.waits, answer.reason = "behind", f"{ahead}, and they go in their order"
    else:
        answer.waits, answer.reason = "turn", decision.reason
        _turns(tx, answer, found)
    if before:
        answer.also("place", f"{before + 1:,} of its line" if before <= MOST else f"beyond {MOST:,} of its line")
        answer.also("head", f"{whats} {found.head_id}")
    for key, gate in found.gates.items():
        until = f" until {moment(gate.until_at)}" if gate.until_at else ""
        answer.also("gate", f"{key} is closed{until}: {gate.reason or 'no reason was given'}")
    line = decision.line
    if line.most is not None:
        answer.also("line", f"{spoken_line(line.name)}: {line.running:,} under way, of {line.most:,} at most")
    else:
        answer.also("line", f"{spoken_line(line.name)}: {line.running:,} under way")


def _turns(tx: Transaction, answer: Answer, found: Judged) -> None:
    """Whose turn it is, if it is not this line's."""
    if found.turn is None:
        return
    asked = {"kind": found.kind, "room": found.decision.line.room, "turn": found.turn, "count": MOST + 1}
    rows = tx.row("why_turns_before", asked)
    if rows is not None and rows[0]:
        first = tx.row("why_first_turn", asked)
        have = "has its" if rows[0] == 1 else "have their"
        answer.reason = (f"{counted(int(rows[0]), 'line')} {have} turn before its line; the first is"
                         f" {spoken_line(first[0]) if first else '-'}")
