"""`penstock plan`: what a sync would change, without changing anything."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from penstock.app import Penstock
from penstock.cli import completing
from penstock.cli.counting import counting
from penstock.cli.documents import TIMES, json_option
from penstock.cli.finding import find_app
from penstock.cli.plan_json import WholePlan
from penstock.cli.plan_text import print_cost, print_subject
from penstock.cli.sync import chosen
from penstock.domain.errors import PlanRefused
from penstock.domain.keys import spoken_key
from penstock.domain.records import ChangeKind, Subject
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.deleting.layer_removal import LayerRemoval
from penstock.sync.deleting.weighing import foresee
from penstock.sync.planning.cost import cost, summed
from penstock.sync.planning.plan import MATCH, Item, LayerPlan, decode_item
from penstock.sync.restricting.plan_file import Writer
from penstock.sync.serving.opening import opened
from penstock.sync.serving.preview import preview
from penstock.sync.serving.snapshots import Snapshots
from penstock.sync.telling.read_back import ReadBack

_KINDS = ("create", "update", "delete")
_FIRST = 5


@click.command()
@click.argument("name", shell_complete=completing.syncs)
@click.option("--subject", "keys", multiple=True, help="Which subject; may be repeated. Without it: all of them.")
@click.option("--show-values", is_flag=True, help="Show what would be sent of the first records, not only their keys.")
@click.option("--read-back", "back", type=click.IntRange(min=1), metavar="N",
              help="Ask the destination what it holds now of the first N records of each kind.")
@click.option("--out", "out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the plan to a file as well, for `penstock sync --plan FILE`.")
@json_option(WholePlan, says=f"what --out writes; {TIMES}")
@click.pass_context
def plan(context: click.Context, name: str, keys: tuple[str, ...], show_values: bool, back: int | None,
         out: Path | None, as_json: bool) -> None:
    """Show what would be sent, what that would cost, and what would be withheld.

    Writes nothing, and asks the destination nothing, unless by --read-back.
    """
    with find_app(context) as app, ExitStack() as stack:
        app.check()
        definition = app.definition(name)
        subjects = chosen(app, name, keys)
        writers = [Writer(stack.enter_context(_file(out)), show_values)] if out is not None else []
        if as_json:
            writers.append(Writer(sys.stdout.write, show_values))
        for writer in writers:
            writer.begin(name, _now(app))
        costed: list[tuple[int, dict[str, int]]] = []
        snapshots = Snapshots(lasting=True)
        alone = as_json and sys.stdout.isatty()  # a bar would be drawn between the lines of the document
        tell = (lambda done: None) if alone else stack.enter_context(counting("planned", len(subjects)))
        for done, subject in enumerate(subjects, 1):
            with preview(app.store, definition, subject, snapshots) as plans:
                removals = foresee(app.store, definition, subject, plans)
                told = [_described(plan, removals[plan.layer.name], show_values, back) for plan in plans]
                if back is not None:
                    _read_back(definition, subject, plans, told, back, show_values)
                costed += [summed(plan) for plan in plans]
                for writer in writers:
                    writer.subject(subject.key, subject.account, list(zip(told, plans, strict=True)))
            if not as_json:
                print_subject(name, subject.key, [{"layer": plan.layer.name, **each}
                                                  for each, plan in zip(told, plans, strict=True)])
            tell(done)
        total = cost(app.store, definition, costed)
        for writer in writers:
            writer.end(cost=total)
        if not as_json:
            print_cost(total)


@contextmanager
def _file(path: Path) -> Iterator[Callable[[str], object]]:
    """Write a file that is there whole, or not at all; only its owner may read it, for it may hold what is in records.

    Raises `PlanRefused` where it cannot be written.
    """
    try:
        number, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise PlanRefused(f"{path}: the plan cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            yield file.write
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _now(app: Penstock) -> int:
    row = app.store.read(lambda tx: tx.row("now"))
    return int(row[0]) if row else 0


def _described(plan: LayerPlan, removal: LayerRemoval, show_values: bool, back: int | None) -> dict[str, Any]:
    """What is said of a layer's plan as a whole."""
    first = {kind: [_record(kind, item, show_values) for item in _first(plan, kind, max(_FIRST, back or 0))]
             for kind in _KINDS}
    fields: dict[str, dict[str, int]] = {}
    for (field, how), count in sorted(plan.fields.items()):
        fields.setdefault(field, {})[how] = count
    return {"counts": plan.summary(), "first": first, "fields": fields, "problems": plan.problems,
            "complete": plan.complete, "withheld": _withheld(removal), "read_first": plan.unread}


def _first(plan: LayerPlan, kind: str, most: int) -> list[Item]:
    """The first of one kind; what was observed and is adopted with other values is updated like the rest."""
    found = [entry for each in ((kind, MATCH) if kind == "update" else (kind,))
             for entry in next(plan.spool.take(each, most), [])]
    return [decode_item(item) for _, item in found[:most]]


def _record(kind: str, item: Item, show_values: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"key": spoken_key(item.key)}
    if item.changed is not None:
        found["fields"] = [*item.changed, *item.dropped]
    if item.observed is not None:
        found["adopts"] = item.remote_id
    if show_values and item.canonical:
        found["payload"] = item.change(ChangeKind(kind)).payload
    return found


def _withheld(removal: LayerRemoval) -> dict[str, Any] | None:
    """How many deletes would be withheld: until they are approved, and why; and as people decided before."""
    if not removal.withheld:
        return None
    undecided = removal.open + (removal.fresh if removal.withheld_for is not None else 0)
    return {"records": undecided, "reason": removal.withheld_for, "decided": removal.withheld - undecided}


def _read_back(definition: SyncDefinition, subject: Subject, plans: list[LayerPlan], told: list[dict[str, Any]],
               most: int, show_values: bool) -> None:
    """Add to the first records of each kind what the destination holds of them."""
    with opened(definition, subject) as run, closing(ReadBack(run)) as reading:
        for plan, described in zip(plans, told, strict=True):
            for kind in _KINDS:
                backs = reading.of(plan.layer, kind, _first(plan, kind, most))
                for record in described["first"][kind]:
                    if (back := backs.get(record["key"])) is not None:
                        if not show_values and isinstance(back.held, dict):
                            back.held = sorted(back.held)
                        elif not show_values:
                            back.held = None
                        record["destination"] = msgspec.to_builtins(back)
