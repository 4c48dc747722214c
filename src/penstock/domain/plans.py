"""Plans read into values: what each node does, what a plan's shape is, what of it is redacted, and what is wrong.

A shape holds kinds of nodes, tables and indexes, no numbers: two plans of one shape do the same to other amounts.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from penstock.domain.advice import Node, Plan, Schema

FAR_MORE = 10
"""A scan that looks at so many rows for each one that it gives is a trap."""

_CONSTANTS = re.compile(r"'(?:[^']|'')*'|(?<![\w.$\"])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w\"])")
_CONDITIONS = ("Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter", "TID Cond")
_REMOVED = ("Rows Removed by Filter", "Rows Removed by Index Recheck", "Rows Removed by Join Filter")
_LATER = ("middle", "last", "slowest")
_IN_ORDER = ("Index Scan", "Index Only Scan")


class Trap(msgspec.Struct, frozen=True, kw_only=True):
    """An index scan that serves ORDER BY while its filter discards far more rows than it gives.

    `looked_at` is how many rows it looks at for each that it gives, as measured, or else as the statistics say.
    """

    table: str
    index: str
    filter: str
    looked_at: float
    measured: bool

    def __str__(self) -> str:
        how = "did" if self.measured else "is to"
        return (f"{self.index} gives the rows of {self.table} in the order asked for, but {how} look at"
                f" {self.looked_at:,.0f} for each one that it keeps: the filter {self.filter} discards the others")


def redacted(condition: str) -> str:
    """A condition without its constants."""
    return _CONSTANTS.sub("?", condition)


def plan(root: Node, *, parameters: str | None = None, analysed: bool = False) -> Plan:
    """A plan of these nodes, with its shape and text."""
    return Plan(root=root, shape=shape(root), text=text(root), parameters=parameters, analysed=analysed)


def read_postgres(answer: Any, *, redact: bool = True) -> Node:
    """The nodes of what `EXPLAIN (FORMAT JSON)` answered, decoded. Raises `ValueError` for anything else.

    Where rules make several statements of one, their plans lie below one node.
    """
    try:
        plans = [_node(each["Plan"], redacted if redact else str)
                 for each in (answer if isinstance(answer, list) else [answer])]
        return plans[0] if len(plans) == 1 else Node(kind="Rules", cost=sum(each.cost or 0 for each in plans),
                                                     children=tuple(plans))
    except (KeyError, TypeError) as error:
        raise ValueError("expected a plan as EXPLAIN (FORMAT JSON) gives it, got something else") from error


def _node(found: dict[str, Any], clean: Any) -> Node:
    def joined(names: tuple[str, ...]) -> str | None:
        return " AND ".join(clean(found[name]) for name in names if name in found) or None

    analysed = "Actual Rows" in found
    blocks = [found[name] for name in ("Shared Hit Blocks", "Shared Read Blocks", "Temp Read Blocks") if name in found]
    removed = [found[name] for name in _REMOVED if name in found]
    return Node(
        kind=found["Node Type"], table=found.get("Relation Name"), alias=found.get("Alias"),
        index=found.get("Index Name"), rows=found.get("Plan Rows"), cost=found.get("Total Cost"),
        condition=joined(_CONDITIONS), filter=joined(("Filter",)),
        sort=tuple(clean(key) for key in found.get("Sort Key", ())),
        backward=found.get("Scan Direction") == "Backward",
        actual_rows=found.get("Actual Rows"), removed=sum(removed) if removed else (0 if analysed else None),
        loops=found.get("Actual Loops"),
        took_us=round(found["Actual Total Time"] * 1000) if "Actual Total Time" in found else None,
        blocks=sum(blocks) if blocks else None,
        spilled=found.get("Sort Space Used") if found.get("Sort Space Type") == "Disk" else None,
        width=found.get("Plan Width"),
        children=tuple(_node(child, clean) for child in found.get("Plans", ())),
    )


def walk(root: Node) -> Iterator[Node]:
    """All nodes, parents first."""
    yield root
    for child in root.children:
        yield from walk(child)


def shape(root: Node) -> str:
    """Sixteen hexadecimal digits that plans share which do the same."""
    return blake2b(_outline(root).encode(), digest_size=8).hexdigest()


def _outline(node: Node) -> str:
    # HypoPG numbers its indexes as it makes them.
    index = re.sub(r"^<\d+>", "", node.index or "")
    below = ",".join(_outline(child) for child in node.children)
    return f"{node.kind} {node.table or ''} {index}{' backward' if node.backward else ''}({below})"


def text(root: Node, depth: int = 0) -> str:
    """The plan for people, a line for each node and one for each condition."""
    indent = "  " * depth
    using = f" using {root.index}" if root.index else ""
    backward = " backward" if root.backward else ""
    on = f" on {root.table}" if root.table else ""
    numbers = []
    wide = f" of {root.width:,} bytes" if root.width and not depth else ""
    if root.cost is not None:
        numbers.append(f"cost {root.cost:,.0f}")
    if root.actual_rows is not None:
        loops = f" × {root.loops}" if (root.loops or 1) > 1 else ""
        numbers.append(f"{root.actual_rows:,.0f} rows{loops}{wide}")
    elif root.rows is not None:
        numbers.append(f"about {root.rows:,.0f} rows{wide}")
    if root.blocks is not None:
        numbers.append(f"{root.blocks:,} blocks")
    told = f"  ({', '.join(numbers)})" if numbers else ""
    lines = [f"{indent}{root.kind}{backward}{using}{on}{told}"]
    if root.condition:
        lines.append(f"{indent}    for {root.condition}")
    if root.filter:
        discards = f", which discards {root.removed:,.0f}" if root.removed else ""
        lines.append(f"{indent}    filter {root.filter}{discards}")
    if root.sort:
        lines.append(f"{indent}    by {', '.join(root.sort)}{f', {root.spilled:,} kB on disk' if root.spilled else ''}")
    return "\n".join([*lines, *(text(child, depth + 1) for child in root.children)])


def trap(plan: Plan, schema: Schema) -> Trap | None:
    """The worst trap of a plan; None where there is none.

    Without a measurement, what a filter will discard is told by how many rows the table has for each that the planner
    expects from the scan: that holds where the order of the index has nothing to do with the filter, and where the scan
    begins at the beginning, as the first batch's does. Towards the end of a batch few rows are left to look at.
    """
    begins = plan.parameters not in _LATER
    found = [each for node, within in _under_limit(plan.root, False) if within and node.kind in _IN_ORDER
             and (each := _trap_of(node, schema)) and (each.measured or begins or not node.condition)]
    return max(found, key=lambda each: each.looked_at, default=None)


def _trap_of(node: Node, schema: Schema) -> Trap | None:
    if not (node.filter and node.index and node.table):
        return None
    measured = node.actual_rows is not None and node.removed is not None
    table = schema.table(node.table)
    if node.actual_rows is not None and node.removed is not None:
        looked_at = (node.actual_rows + node.removed) / max(node.actual_rows, 1)
    elif table and table.rows and node.rows and not _bound(node, schema):
        looked_at = table.rows / max(node.rows, 1)
    else:
        return None
    if looked_at < FAR_MORE:
        return None
    return Trap(table=node.table, index=node.index, filter=node.filter, looked_at=looked_at, measured=measured)


def _bound(node: Node, schema: Schema) -> bool:
    """Whether the scan begins with an equality, and so looks at a part of the table only."""
    table = schema.table(node.table or "")
    index = next((each for each in table.indexes if each.name == node.index), None) if table else None
    first = index.keys[0].column if index and index.keys else None
    return bool(first and node.condition and re.search(rf'\b"?{re.escape(first)}"? = ', node.condition))


def _under_limit(node: Node, within: bool) -> Iterator[tuple[Node, bool]]:
    yield node, within
    # A sort, a hash or an aggregate takes all that there is, so a limit above it does not end the scan below early.
    ends = within and node.kind not in ("Sort", "Hash", "Aggregate", "HashAggregate", "Bitmap Heap Scan")
    for child in node.children:
        yield from _under_limit(child, node.kind == "Limit" or ends)


def discards(root: Node) -> float:
    """How many rows filters discard for each row that the whole gives, as measured; 0 where nothing was measured."""
    removed = sum((node.removed or 0) * (node.loops or 1) for node in walk(root))
    return removed / max(root.actual_rows or 0, 1)


def sorts(root: Node) -> bool:
    """Whether anything is sorted."""
    return any("Sort" in node.kind or node.kind.startswith("USE TEMP B-TREE") for node in walk(root))
