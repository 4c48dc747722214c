"""Why a record was sent, or not, in lines."""

from collections.abc import Iterator
from datetime import UTC, datetime

import click
import msgspec

from penstock.app import Penstock
from penstock.cli.documents import say_json
from penstock.sync.declaring.address import key_of, layer_of
from penstock.sync.telling.told import Kept, Linked, RemoteSays, RunSays, Why
from penstock.sync.telling.why import why as look

_WIDTH = 13
_DIGITS = 12  # of a digest are enough to tell it from another


def say(app: Penstock, name: str, subject_key: str, layer_name: str, key: str, *, remote: bool, show_values: bool,
        as_json: bool) -> None:
    """Print why a record was sent, or not."""
    definition = app.definition(name)
    layer = layer_of(definition, layer_name)
    found = look(app.store, definition, app.subject(name, subject_key), layer, key_of(layer, key), remote=remote)
    shown = found if show_values else found.without_values()
    if as_json:
        say_json(shown)
        return
    click.echo(f"{name} {subject_key} {layer_name} {found.key}")
    for what, text in _lines(shown, show_values):
        click.echo(f"  {what + ':':<{_WIDTH}} {text}")


def _lines(found: Why, values: bool) -> Iterator[tuple[str, str]]:
    """What is said, and of what, in the order in which people ask."""
    yield "next run", f"{found.verdict.would}: {found.verdict.because}"
    yield "source", _source(found)
    if found.match_field is not None:
        yield "match", f"by {found.match_field}" + (f" {found.match}" if values and found.match is not None else "")
    for link in found.links:
        yield link.role, _link(link)
    if found.payload is not None:
        shown = msgspec.json.encode(found.payload).decode() if values else ", ".join(found.payload)
        yield "rendered", f"{_digest(found.rendered)}: {shown}" + ("" if values else " (values: --show-values)")
    if found.state is None:
        yield "state", "no row: it was never sent from here"
    else:
        yield from _state(found, found.state)
    if found.claims is not None:
        yield "claimed by", ", ".join(found.claims) or "nobody"
    if found.deletion is not None:
        yield "deletion", f"{found.deletion}; see `penstock approve {found.sync}`"
    if found.live is not None:
        yield "under way", _run(found.live)
    if found.remote is not None:
        yield "destination", _remote(found, found.remote, values)


def _source(found: Why) -> str:
    source = found.source
    if source.error is not None:
        return f"it could not be read: {source.error}"
    proof = "and proved itself whole" if source.complete else "and did not prove itself whole"
    return f"has it {'' if source.present else 'not '}now; it gave {source.read:,} records {proof}"


def _link(link: Linked) -> str:
    if link.key is None:
        return f"it names no record of {link.layer}"
    if link.status is None:
        where = {True: ", and is in the source", False: ", nor in the source"}.get(bool(link.in_source), "")
        return f"{link.layer} {link.key} is not in the state{where if link.in_source is not None else ''}"
    error = f": {link.error_class}: {link.error or ''}".rstrip(": ") if link.error_class else ""
    return f"{link.layer} {link.key} is {link.status}, remote id {link.remote_id or '-'}{error}"


def _state(found: Why, state: Kept) -> Iterator[tuple[str, str]]:
    sent = f"digest {_digest(state.digest)}" if state.digest else "not known what the destination has"
    yield "state", f"{state.status}, remote id {state.remote_id or '-'}, {sent}"
    by = "by hand" if state.run_id is None else f"by run {state.run_id}, which is no longer kept"
    yield "last change", f"{_time(state.changed_at)} " + (f"by {_run(found.run)}" if found.run is not None else by)
    if state.error_class is not None or state.error is not None:
        yield "last answer", ": ".join(part for part in (state.error_class, state.error) if part)
    if state.attempts or state.retry_at is not None:
        when = f"; again at {_time(state.retry_at)}" if state.retry_at is not None else ""
        yield "attempts", f"{state.attempts or 0} failed{when}"


def _run(run: RunSays) -> str:
    when = f", ended {_time(run.finished_at)}" if run.finished_at is not None else \
        f", requested {_time(run.requested_at)}"
    error = f": {run.error_class}: {run.error or ''}".rstrip(": ") if run.error_class else ""
    return f"run {run.id} of {run.subject} ({run.status}{when}){error}"


def _remote(found: Why, remote: RemoteSays, values: bool) -> str:
    if remote.error is not None:
        return f"it could not be asked: {remote.error}"
    known = found.state.remote_id if found.state is not None else None
    parts = []
    if remote.found is not None:
        ids = ", ".join(remote.found) or "nothing"
        same = " (that of the state)" if remote.found == [known] else ""
        parts.append(f"its look-up finds {ids}{same}")
    if remote.read and remote.held is None:
        parts.append("reading it did not give this record")
    elif remote.read:
        held = msgspec.json.encode(remote.held).decode() if values else ", ".join(map(str, remote.held))
        parts.append(f"it holds {held}")
        if remote.differs is not None:
            parts.append(f"other than rendered: {', '.join(remote.differs) or 'nothing'}")
    return "; ".join(parts) or "the layer has no find or read that could tell"


def _digest(text: str | None) -> str:
    return (text or "-")[:_DIGITS]


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(" ", "seconds")
