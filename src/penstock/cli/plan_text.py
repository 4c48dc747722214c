"""A plan as text, for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import msgspec

from penstock.sync.planning.cost import Cost

_SIGNS = {"create": "+", "update": "~", "delete": "-"}


def print_subject(sync: str, subject: str, layers: Sequence[Mapping[str, Any]]) -> None:
    """What would be done in each layer of one subject."""
    click.echo(f"{subject}:")
    for layer in layers:
        for line in _layer(sync, layer):
            click.echo(line)


def print_cost(total: Cost) -> None:
    """What all of it would cost."""
    if not total.changes:
        click.echo("Nothing to send.")
        return
    time = "no earlier run tells how long it takes" if total.seconds is None else f"about {_span(total.seconds)}"
    click.echo(f"{_counted(total.changes, 'change')} in at least {_counted(total.calls, 'call')}; {time}")
    for permits in total.permits:
        more = f", given in {_span(permits.seconds)} at the earliest" if permits.seconds else ""
        click.echo(f"  {permits.limit}: {permits.needed:,} permits{more}")


def _layer(sync: str, layer: Mapping[str, Any]) -> Iterator[str]:
    counts = layer["counts"]
    yield (f"  {layer['layer']}: {counts['create']} to create, {counts['update']} to update,"
           f" {counts['delete']} to delete, {counts['skip']} unchanged"
           + "".join(f", {counts[kind]} {kind}" for kind in ("blocked", "failed") if counts[kind]))
    for field, how in layer["fields"].items():
        yield f"    {field}: " + ", ".join(
            f"{'new' if each == 'added' else each} in {count:,}" for each, count in how.items())
    for kind, sign in _SIGNS.items():
        for record in layer["first"][kind]:
            told = [*record.get("fields", ()), *([f"adopts {record['adopts']}"] if "adopts" in record else [])]
            about = f" ({', '.join(told)})" if told else ""
            yield f"    {sign} {record['key']}{about}"
            if "payload" in record:
                yield f"        {_value(record['payload'])}"
            if "destination" in record:
                yield from (f"        {text}" for text in _destination(kind, record))
        if counts[kind] > len(layer["first"][kind]):
            yield f"    {sign} … and {counts[kind] - len(layer['first'][kind])} more"
    if layer["read_first"]:
        yield "    ! the destination is read before anything is sent: what it holds already is adopted, not created"
    if withheld := layer["withheld"]:
        if withheld["records"]:
            yield (f"    ! {withheld['records']:,} deletes would be withheld ({withheld['reason']});"
                   f" `penstock approve {sync}` releases them once a run has asked")
        if withheld["decided"]:
            yield f"    ! {withheld['decided']:,} deletes would be withheld as was decided"
    for problem in layer["problems"]:
        yield f"    ! {problem}"


def _destination(kind: str, record: Mapping[str, Any]) -> Iterator[str]:
    """What the destination holds of one record, beside what would be sent."""
    back = record["destination"]
    if back["error"] is not None:
        yield f"it could not be read back: {back['error']}"
    elif back["is_there"] is None:
        yield "the layer has nothing that could tell what is there"
    elif not back["is_there"]:
        yield "not there yet" if kind == "create" else "not there any more"
    else:
        if kind == "create":
            yield f"already there: {', '.join(back['found'])}"
        held, payload = back["held"], record.get("payload")
        if back["differs"] is None:
            if isinstance(held, dict) or (held is not None and kind != "delete"):
                yield f"it holds {_value(held)}"
            elif kind == "delete":
                yield "there"
        elif not back["differs"]:
            yield "it holds what would be sent"
        elif isinstance(held, dict) and isinstance(payload, dict):
            for name in back["differs"]:
                old = _value(held[name]) if name in held else "nothing"
                yield f"{name}: {old} → {_value(payload.get(name))}"
        else:
            yield f"other than what would be sent: {', '.join(back['differs'])}"


def _value(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 6000 else f"{seconds / 3600:,.1f} h"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
