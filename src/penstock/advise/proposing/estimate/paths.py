"""What it costs to read from one table, by each way there is: the whole table, or an index."""

import math
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

from penstock.advise.proposing.estimate.shares import pages_of, rows_of, share
from penstock.domain.advice import Condition, Index, Key, Ordering, Table

# The units of PostgreSQL's planner, by its defaults.
_PAGE, _RANDOM_PAGE, _ROW, _INDEX_ROW, _OPERATOR = 1.0, 4.0, 0.01, 0.005, 0.0025
_ENTRY_OVERHEAD = 16
_SPACES = re.compile(r"[\s()\"]+|::(?:character varying|double precision|\w+)(?:\[\])?")
_CASTS = re.compile(r"cast\((.*?) as [\w ]+\)", re.IGNORECASE)


class Wanted:
    """What is wanted from one table: rows that fit, in an order if one is said, maybe none but these columns.

    `columns` is None where all of them are. `rows` and `pages` are the table's, `out` is how many rows fit.
    """

    def __init__(self, table: Table | None, conditions: tuple[Condition, ...] = (),
                 order: tuple[Ordering, ...] = (), columns: frozenset[str] | None = None) -> None:
        self.table = table
        self.conditions = conditions
        self.order = order
        self.columns = columns
        self.rows = rows_of(table)
        self.pages = pages_of(table)
        self._shares: dict[frozenset[int], float] = {}
        self.out = max(1.0, self.rows * self.share(conditions))

    def share(self, conditions: Iterable[Condition]) -> float:
        """The share of rows that some of its conditions let through."""
        found = tuple(conditions)
        key = frozenset(id(each) for each in found)     # they live as long as the statement
        if key not in self._shares:
            self._shares[key] = share(found, self.table)
        return self._shares[key]


class Heap(msgspec.Struct, frozen=True, kw_only=True):
    """How a path visits the table itself: `visited` of its rows, on `pages` pages. `along` is how far (0 to 1) they lie
    in the order in which they are read, `skipped` the share that the index alone answers."""

    visited: float
    pages: float
    rows: float
    along: float = 0.0
    skipped: float = 0.0

    def cost(self, part: float) -> float:
        """What visiting that part of them costs. Not in proportion: the first rows lie on pages of their own."""
        visited = self.visited * part
        most = _visited_pages(visited, self.pages) * _RANDOM_PAGE
        least = max(1.0, visited / self.rows * self.pages) * _PAGE
        return (most + self.along * (least - most)) * (1 - self.skipped)


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """One way to it. `start` is due before the first row, `steady` in proportion to what is read; `rows` come out.
    `bound` says how many keys of the index narrow the read down."""

    rows: float
    start: float = 0.0
    steady: float = 0.0
    heap: Heap | None = None
    index: Index | None = None
    ordered: bool = False
    bound: int = 0

    @property
    def cost(self) -> float:
        """What reading all of it costs."""
        return self.of(1.0)

    def of(self, part: float) -> float:
        """What reading that part of it costs, since nobody asks for more."""
        return self.start + self.steady * part + (self.heap.cost(part) if self.heap else 0.0)


def whole(wanted: Wanted) -> Path:
    """Reading the table from its beginning to its end."""
    checks = _OPERATOR * len(wanted.conditions)
    return Path(steady=wanted.pages * _PAGE + wanted.rows * (_ROW + checks), rows=wanted.out, ordered=not wanted.order)


def by_index(wanted: Wanted, index: Index) -> list[Path]:
    """The ways through one index, if there are any."""
    if not index.valid or index.method != "btree" or not implied(index.predicate, wanted.conditions):
        return []
    return _by(index, wanted, wanted.rows, wanted.pages, wanted.out)


def implied(predicate: str | None, conditions: Sequence[Condition]) -> bool:
    """Whether each part of a partial index's predicate is among the conditions, word by word."""
    if predicate is None:
        return True
    known = {_normal(each.text) for each in conditions} | {
        _normal(f"{each.column} is not null") for each in conditions
        if each.column and each.kind in ("equal", "in", "range", "prefix")}
    return all(_normal(part) in known for part in re.split(r"\band\b", predicate, flags=re.IGNORECASE))


def entry_width(keys: Sequence[Key], include: Sequence[str], table: Table | None) -> float:
    """How many bytes an entry of such an index takes."""
    names = [key.column for key in keys] + list(include)
    columns = [table.column(name) if table and name else None for name in names]
    return _ENTRY_OVERHEAD + sum(max(4, (column.width or 16) if column else 16) for column in columns)


def size_of(index: Index, table: Table | None, conditions: Sequence[Condition] = ()) -> float:
    """About how many bytes such an index takes."""
    within = [each for each in conditions if index.predicate and implied(each.text, conditions)
              and _normal(each.text) in _normal(index.predicate)]
    part = share(within, table) if index.predicate else 1.0
    return rows_of(table) * part * entry_width(index.keys, index.include, table) * 1.1


def serves_order(keys: Sequence[Key], order: Sequence[Ordering], fixed: frozenset[str]) -> bool:
    """Whether reading keys in their order, or all backwards, gives the order; `fixed` columns have one value."""
    wanted = [term for term in order if term.column not in fixed]
    rest = [key for key in keys if key.column not in fixed]
    if len(rest) < len(wanted):
        return False
    turned = {(key.descending != term.descending) for key, term in zip(rest, wanted, strict=False)}
    nulls = all(_nulls_first(key.descending, key.nulls_first) == (
        _nulls_first(term.descending, term.nulls_first) != (key.descending != term.descending))
        for key, term in zip(rest, wanted, strict=False))
    return len(turned) <= 1 and nulls and all(
        (key.column, key.expression and _normal(key.expression)) == (
            term.column, term.expression and _normal(term.expression))
        for key, term in zip(rest, wanted, strict=False))


def of_key(condition: Condition, key: Key) -> bool:
    """Whether a condition is on the key."""
    if key.column is not None:
        return condition.column == key.column
    return condition.expression is not None and _normal(condition.expression) == _normal(key.expression or "")


def _by(index: Index, wanted: Wanted, rows: float, pages: float, out: float) -> list[Path]:
    within = [each for each in wanted.conditions if index.predicate and implied(each.text, wanted.conditions)
              and _normal(each.text) in _normal(index.predicate)]
    held = rows * wanted.share(within) if index.predicate else rows
    rest = [each for each in wanted.conditions if each not in within]
    found = []
    for lists in (True, False):
        boundary, bound, several = _boundary(index, rest, lists=lists, table=wanted.table)
        if not lists and not any(each.kind == "in" for each in rest):
            continue
        fixed = frozenset(each.column for each in (*boundary, *within)
                          if each.kind in ("equal", "null") and each.column and each.other is None)
        ordered = bool(wanted.order) and not several and serves_order(index.keys, wanted.order, fixed)
        if not boundary and not ordered and not within and not _covers(index, wanted):
            continue
        entries = max(1.0, held * wanted.share(boundary))
        checked = [each for each in rest if any(of_key(each, key) for key in index.keys) and each.kind != "prefix"]
        visited = max(1.0, held * wanted.share((*boundary, *checked)))
        covers = _covers(index, wanted) and (index.name != "" or bool(index.include) or ordered
                                             or bound == len(index.keys))
        found += _costed(index, wanted, entries, visited, rows, pages, out, ordered, bound, held,
                         descents=several or 1, covers=covers)
    return found


def _boundary(index: Index, conditions: Sequence[Condition], *, lists: bool,
              table: Table | None) -> tuple[list[Condition], int, int]:
    """The conditions that bound what is read of an index, on how many keys, and how often a list begins anew."""
    found: list[Condition] = []
    several = 0
    for bound, key in enumerate(index.keys):
        here = [each for each in conditions if of_key(each, key)]
        exact = [each for each in here if each.kind in ("equal", "null")]
        listed = [each for each in here if each.kind == "in"] if lists else []
        if exact:
            found += exact[:1]
        elif listed:
            found += listed[:1]
            several = max(1, several) * (listed[0].values or 10)
        else:
            text = table is not None and not table.collation_c and key.opclass is None
            ranges = [each for each in here if each.kind in ("range", "not_null") or (
                each.kind == "prefix" and not text)]
            return found + ranges, bound + bool(ranges), several
    return found, len(index.keys), several


def _covers(index: Index, wanted: Wanted) -> bool:
    """Whether the index alone has all that is wanted. Of one that is only thought of (it has no name) that counts where
    each of its keys serves something else as well, or where it was the point."""
    held = {key.column for key in index.keys} | set(index.include)
    return wanted.columns is not None and wanted.columns <= held


def _costed(index: Index, wanted: Wanted, entries: float, visited: float, rows: float, pages: float, out: float,
            ordered: bool, bound: int, held: float, descents: int, covers: bool) -> list[Path]:
    leaves = max(1.0, held * entry_width(index.keys, index.include, wanted.table) / 8192)
    read = leaves * min(1.0, entries / max(held, 1.0))
    start = descents * (_RANDOM_PAGE + math.log2(max(2.0, held)) * _OPERATOR)
    scan = start + read * _RANDOM_PAGE / 2 + entries * (_INDEX_ROW + _OPERATOR)
    checks = visited * (_ROW + _OPERATOR * len(wanted.conditions))
    along = _along(wanted.table, index.keys[0].column) ** 2 * (0.75 if len(index.keys) > 1 else 1.0)
    heap = Heap(visited=visited, pages=pages, rows=rows, along=along, skipped=0.95 if covers else 0.0)
    plain = Path(rows=out, start=start, steady=scan - start + checks, heap=heap, index=index, bound=bound,
                 ordered=ordered or not wanted.order)
    most = _visited_pages(visited, pages)
    each = _RANDOM_PAGE - (_RANDOM_PAGE - _PAGE) * math.sqrt(min(1.0, most / pages))
    bitmap = msgspec.structs.replace(plain, start=scan, steady=most * each + checks + visited * _INDEX_ROW, heap=None,
                                     ordered=not wanted.order)
    return [plain, bitmap]


def _along(table: Table | None, name: str | None) -> float:
    """How far (0 to 1) rows lie in the order of a column.

    Statistics take rows of one value for ordered as they lie, so a column of few values seems to follow the table where
    it does not: what that alone would make is taken off.
    """
    column = table.column(name) if table and name else None
    if column is None or column.correlation is None:
        return 0.0
    by_chance = sum(frequency ** 2 for _, frequency in column.common)
    return max(0.0, (abs(column.correlation) - by_chance) / (1 - by_chance)) if by_chance < 0.5 else 0.0


def _visited_pages(visited: float, pages: float) -> float:
    """How many pages hold so many rows that lie anywhere."""
    return min(2 * pages * visited / (2 * pages + visited), pages)


def _nulls_first(descending: bool, said: bool | None) -> bool:
    return descending if said is None else said


@lru_cache(maxsize=4096)
def _normal(text: str) -> str:
    plain = _CASTS.sub(r"\1", text)
    return _SPACES.sub("", plain.replace("= true", "").replace("=true", "")).lower()
