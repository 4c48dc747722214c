"""`penstock plan`: what a sync would change, without changing anything."""

import click
import msgspec

from penstock.cli.finding import find_app
from penstock.cli.sync import chosen
from penstock.sync.plan import LayerPlan
from penstock.sync.window import preview

_KINDS = ("create", "update", "delete")
_SIGNS = {"create": "+", "update": "~", "delete": "-"}
_FIRST = 5


@click.command()
@click.argument("name")
@click.option("--subject", "keys", multiple=True, help="Which subject; may be repeated. Without it: all of them.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_context
def plan(context: click.Context, name: str, keys: tuple[str, ...], as_json: bool) -> None:
    """Show what would be sent. Writes nothing, and asks the destination nothing."""
    with find_app(context) as app:
        app.check()
        described = []
        for subject in chosen(app, name, keys):
            layers = [_described(plan) for plan in preview(app.store, app.definition(name), subject)]
            described.append({"subject": subject.key, "account": subject.account, "layers": layers})
            if not as_json:
                _print(subject.key, layers)
    if as_json:
        click.echo(msgspec.json.encode({"sync": name, "subjects": described}).decode())


def _described(plan: LayerPlan) -> dict[str, object]:
    first = {kind: [key for key, _ in next(plan.spool.take(kind, _FIRST), [])] for kind in _KINDS}
    return {"layer": plan.layer.name, "counts": plan.summary(), "first": first, "problems": plan.problems,
            "complete": plan.complete}


def _print(subject: str, layers: list[dict[str, object]]) -> None:
    click.echo(f"{subject}:")
    for layer in layers:
        counts = layer["counts"]
        first = layer["first"]
        assert isinstance(counts, dict)
        assert isinstance(first, dict)
        click.echo(f"  {layer['layer']}: {counts['create']} to create, {counts['update']} to update,"
                   f" {counts['delete']} to delete, {counts['skip']} unchanged"
                   + "".join(f", {counts[kind]} {kind}" for kind in ("blocked", "failed") if counts[kind]))
        for kind in _KINDS:
            for key in first[kind]:
                click.echo(f"    {_SIGNS[kind]} {key}")
            if counts[kind] > len(first[kind]):
                click.echo(f"    {_SIGNS[kind]} … and {counts[kind] - len(first[kind])} more")
        problems = layer["problems"]
        assert isinstance(problems, list)
        for problem in problems:
            click.echo(f"    ! {problem}")
