"""Keyed jobs: what the policy sees of their lines, and how those that it admits become available, in one statement."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from penstock.admission.policy import Decision, Line, Piece
from penstock.store.port import Row, Transaction


def lines(tx: Transaction, rows: Sequence[Row], queue: str, count: int) -> list[Line]:
    """The lines of a queue that have a turn; those with places for more with what waits behind their heads."""
    found = [_line(row, queue) for row in rows]
    several = [line for line in found if line.most is None or line.most - line.running > 1]
    each = count // max(len(rows), 1)
    if not several or each < 2:
        return found
    behind: dict[str, list[Piece]] = {}
    for name, rank, id, priority, also, also_most in tx.rows("lines_pieces", {
            "lines": [line.name for line in several], "ranks": [line.pieces[0].rank for line in several],
            "ids": [line.pieces[0].id for line in several], "count": each - 1}):
        behind.setdefault(name, []).append(Piece(id, rank, priority, also, also_most))
    return [replace(line, pieces=(*line.pieces, *behind.get(line.name, ())[:_places(line)])) for line in found]


def _places(line: Line) -> int | None:
    return None if line.most is None else line.most - line.running - 1


def _line(row: Row, queue: str) -> Line:
    name, account, running, most, served_at, gates, pace_us, paced_us, rank, id, priority, also, also_most = row
    return Line(name, queue, (Piece(id, rank, priority, also, also_most),), running, most, account, served_at,
                tuple(msgspec.json.decode(gates, type=list[str])) if gates else (), pace_us, paced_us)


def second_keys(tx: Transaction, lines: Sequence[Line]) -> dict[str, int]:
    """What runs under the second keys that pieces of these lines have."""
    keys = {piece.also for line in lines for piece in line.pieces if piece.also is not None}
    return dict(tx.rows("lines_running", {"lines": sorted(keys)})) if keys else {}


def apart(decisions: Sequence[Decision]) -> list[Decision]:
    """Those admitted, without lines that are also second keys of others: one statement writes each line once."""
    chosen = [each for each in decisions if each.admit]
    seconds = {each.piece.also for each in chosen if each.piece.also is not None}
    return [each for each in chosen if each.line.name not in seconds] if seconds else chosen


def admit(tx: Transaction, chosen: Sequence[Decision], ranks: Sequence[int]) -> list[tuple[int, int]]:
    """Make jobs available with these ranks; return the places of those that are."""
    rows = tx.batch("jobs_admit", {
        "lines": [each.line.name for each in chosen], "ranks": [each.piece.rank for each in chosen],
        "ids": [each.piece.id for each in chosen], "turns": ranks, "paced_us": [each.paced_us for each in chosen]})
    moved = {row[0] for row in rows}
    return [(rank, each.piece.id) for rank, each in zip(ranks, chosen, strict=True) if each.piece.id in moved]


def hold(tx: Transaction, decisions: Sequence[Decision]) -> int:
    """Take the turn from lines that wait for something of their own; return how many they are."""
    held = [each for each in decisions if each.hold is not None]
    if held:
        tx.batch("lines_hold", {"lines": [each.line.name for each in held], "helds": [each.hold for each in held],
                                "until_ats": [each.until_at for each in held]})
    return len(held)
