"""`penstock plan`: what a sync would change, without changing anything."""

from typing import Any

import click
import msgspec

from penstock.cli.finding import find_app
from penstock.cli.sync import chosen
from penstock.domain.records import ChangeKind
from penstock.sync.cost import Cost, cost, summed
from penstock.sync.plan import Item, LayerPlan, decode_item
from penstock.sync.window import preview

_KINDS = ("create", "update", "delete")
_SIGNS = {"create": "+", "update": "~", "delete": "-"}
_FIRST = 5


@click.command()
@click.argument("name")
@click.option("--subject", "keys", multiple=True, help="Which subject; may be repeated. Without it: all of them.")
@click.option("--show-values", is_flag=True, help="Show what would be sent of the first records, not only their keys.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_context
def plan(context: click.Context, name: str, keys: tuple[str, ...], show_values: bool, as_json: bool) -> None:
    """Show what would be sent, and what that would cost. Writes nothing, and asks the destination nothing."""
    with find_app(context) as app:
        app.check()
        definition = app.definition(name)
        described, costed = [], []
        for subject in chosen(app, name, keys):
            layers = []
            for plan in preview(app.store, definition, subject):
                layers.append(_described(plan, show_values))
                costed.append(summed(plan))
            described.append({"subject": subject.key, "account": subject.account, "layers": layers})
            if not as_json:
                _print(subject.key, layers)
        total = cost(app.store, definition, costed)
    if as_json:
        click.echo(msgspec.json.encode({"sync": name, "subjects": described, "cost": total}).decode())
    else:
        _print_cost(total)


def _described(plan: LayerPlan, show_values: bool) -> dict[str, Any]:
    first = {kind: [_record(kind, decode_item(item), show_values)
                    for _, item in next(plan.spool.take(kind, _FIRST), [])] for kind in _KINDS}
    fields: dict[str, dict[str, int]] = {}
    for (field, how), count in sorted(plan.fields.items()):
        fields.setdefault(field, {})[how] = count
    return {"layer": plan.layer.name, "counts": plan.summary(), "first": first, "fields": fields,
            "problems": plan.problems, "complete": plan.complete}


def _record(kind: str, item: Item, show_values: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"key": item.key}
    if item.changed is not None:
        found["fields"] = [*item.changed, *item.dropped]
    if show_values and item.canonical:
        found["payload"] = item.change(ChangeKind(kind)).payload
    return found


def _print(subject: str, layers: list[dict[str, Any]]) -> None:
    click.echo(f"{subject}:")
    for layer in layers:
        counts = layer["counts"]
        click.echo(f"  {layer['layer']}: {counts['create']} to create, {counts['update']} to update,"
                   f" {counts['delete']} to delete, {counts['skip']} unchanged"
                   + "".join(f", {counts[kind]} {kind}" for kind in ("blocked", "failed") if counts[kind]))
        for field, how in layer["fields"].items():
            click.echo(f"    {field}: " + ", ".join(
                f"{'new' if each == 'added' else each} in {count:,}" for each, count in how.items()))
        for kind in _KINDS:
            for record in layer["first"][kind]:
                about = f" ({', '.join(record['fields'])})" if record.get("fields") else ""
                click.echo(f"    {_SIGNS[kind]} {record['key']}{about}")
                if "payload" in record:
                    click.echo(f"        {msgspec.json.encode(record['payload']).decode()}")
            if counts[kind] > len(layer["first"][kind]):
                click.echo(f"    {_SIGNS[kind]} … and {counts[kind] - len(layer['first'][kind])} more")
        for problem in layer["problems"]:
            click.echo(f"    ! {problem}")


def _print_cost(total: Cost) -> None:
    if not total.changes:
        click.echo("Nothing to send.")
        return
    time = "no earlier run tells how long it takes" if total.seconds is None else f"about {_span(total.seconds)}"
    click.echo(f"{total.changes:,} changes in at least {total.calls:,} calls; {time}")
    for permits in total.permits:
        more = f", given in {_span(permits.seconds)} at the earliest" if permits.seconds else ""
        click.echo(f"  {permits.limit}: {permits.needed:,} permits{more}")


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 6000 else f"{seconds / 3600:,.1f} h"
