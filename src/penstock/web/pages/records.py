"""Records that failed, are blocked or in doubt, found by key; and why one record was sent, or not."""


import msgspec

from penstock.domain.errors import ConfigurationError, UnknownSubject
from penstock.domain.keys import key_parts, spoken_key
from penstock.sync.telling.failing import STATUSES
from penstock.sync.telling.told import Why
from penstock.web.declared import Action, Done, NotFound, Seen, View
from penstock.web.frame import to
from penstock.web.pages.of_syncs import PAGE, ClassShown, class_shown, existing
from penstock.web.words import key

_MOST_RECORDS = 1000


class FailedAsked(msgspec.Struct, frozen=True, kw_only=True):
    """`key` is how a record's key begins, `kind` a class of errors or a code, `after` what the last page gave as
    `next`."""

    sync: str
    layer: str | None = None
    subject: str | None = None
    status: str | None = None
    key: str | None = None
    kind: str | None = None
    after: str | None = None


class RecordShown(msgspec.Struct, frozen=True):
    """A record that is not in order, with what the destination said. `scope` is its subject or account, and `subject`
    that of the run which met it last, where that is known."""

    layer: str
    scope: str
    subject: str | None
    key: str
    spoken: str
    status: str
    kind: str
    code: str
    message: str
    attempts: int | None
    retry_at: int | None
    changed_at: int
    run_id: int | None
    remote_id: str | None


class FailedPage(msgspec.Struct, frozen=True):
    """A page of them, and their classes (of the first 1,000). `looked`: the page ends where it does since so much was
    looked at."""

    sync: str
    records: list[RecordShown]
    classes: list[ClassShown]
    counted: int
    layers: list[str]
    statuses: list[str]
    next: str | None
    looked: bool
    now: int
    fault: str | None = None


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """Records of a class (`kind`), a layer or a subject; `key` is one record of the layer, `scope` whose it is there: a
    subject, or an account."""

    sync: str
    kind: str | None = None
    layer: str | None = None
    key: str | None = None
    subject: str | None = None
    scope: str | None = None


class SentAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A record by its sync, layer, subject and key; `remote`: ask the destination as well, what it holds now."""

    sync: str
    layer: str
    subject: str = ""
    key: str = ""
    remote: bool = False


class SentShown(msgspec.Struct, frozen=True):
    """All that is known of one record; None where its subject or its key was not said. Without the scope `sensitive`
    fields are told by their names alone."""

    why: Why | None
    values: bool
    now: int
    parts: list[tuple[str, str]] = []
    """The fields of its key, each with its value."""


class FindAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What of a record is known so far."""

    sync: str | None = None
    layer: str | None = None
    subject: str | None = None
    key: str | None = None


class Find(msgspec.Struct, frozen=True):
    """The syncs, and their layers, among which a record is."""

    layers: dict[str, list[str]]


def load_failed(seen: Seen, asked: FailedAsked) -> FailedPage:
    """Records that failed, are blocked or in doubt, with the destination's reason, and their classes."""
    app, name, now = seen.app, existing(seen, asked.sync), seen.app.now_ms()
    layers = [layer.name for layer in app.definition(name).layers]
    try:
        page = app.failing(name, layer=asked.layer, subject=asked.subject, status=asked.status,
                           begins=asked.key or "", error_class=asked.kind, after=asked.after, limit=PAGE)
        classes = app.error_classes(name, subject=asked.subject, most=_MOST_RECORDS)
    except (ConfigurationError, UnknownSubject) as error:
        return FailedPage(name, [], [], 0, layers, list(STATUSES), None, False, now, str(error))
    records = [RecordShown(
        each.row.layer, each.row.scope, each.subject, each.row.key, spoken_key(each.row.key), each.row.status,
        each.error_class, each.row.error_class or "", seen.masked(each.row.error), each.row.attempts,
        each.row.retry_at, each.row.changed_at, each.row.run_id, each.row.remote_id) for each in page.records]
    return FailedPage(name, records, [class_shown(seen, each) for each in classes if asked.layer in (None, each.layer)
                                       and asked.status in (None, each.status)
                                       and asked.kind in (None, each.name, each.code)],
                      sum(each.count for each in classes), layers, list(STATUSES), page.next, page.looked, now)


def retry(seen: Seen, asked: Retry) -> Done:
    """Let records that failed go again now, with the next runs of their subjects, which are requested."""
    name = existing(seen, asked.sync)
    due = seen.app.retry(name, error_class=asked.kind, layer=asked.layer, keys=(asked.key,) if asked.key else (),
                         subject=asked.subject, scope=asked.scope,
                         reason=f"retry, asked by {seen.person.name}"[:200])
    records = "1 record is" if due.count == 1 else f"{due.count:,} records are"
    runs = "1 run is" if len(due.subjects) == 1 else f"{len(due.subjects):,} runs are"
    what = "/".join(part for part in (asked.layer, asked.key, asked.kind, asked.subject) if part)
    said, after = f"{records} due now, and {runs} requested", f"{due.count} due, {len(due.subjects)} requested"
    if due.job is None:
        return Done(said, to("/syncs/{}/failed", name, subject=asked.subject), f"sync:{name}/{what}", after=after)
    return Done(f"{said}; there are more, and job {due.job} goes on with them", to("/jobs/{}", due.job),
                f"sync:{name}/{what}", after=f"{after}, job {due.job} goes on")


def load_sent(seen: Seen, asked: SentAsked) -> SentShown:
    """Why a record was sent, or not: its source now, what would be rendered, what was last sent, what was answered."""
    name, values = existing(seen, asked.sync), seen.may("sensitive")
    if asked.layer not in (names := [layer.name for layer in seen.app.definition(name).layers]):
        raise NotFound(f"{name} has no layer {asked.layer}", f"It has {', '.join(names)}.")
    if not asked.subject or not asked.key:
        return SentShown(None, values, seen.app.now_ms())
    try:
        found = seen.app.why_record(name, asked.subject, asked.layer, asked.key, remote=asked.remote,
                                    show_values=values)
    except UnknownSubject as error:
        raise NotFound(f"{name} has no subject {asked.subject}", str(error)) from None
    return SentShown(_masked(seen, found), values, seen.app.now_ms(), _parts(seen, found))


def _parts(seen: Seen, why: Why) -> list[tuple[str, str]]:
    [fields] = [layer.layer.key for layer in seen.app.definition(why.sync).layers if layer.name == why.layer]
    if isinstance(fields, str):
        return [(fields, spoken_key(why.key))]
    return list(zip(fields, key_parts(why.key) or [why.key], strict=False))


def load_find(seen: Seen, asked: FindAsked) -> Find:
    """Which record is meant."""
    return Find({name: [layer.name for layer in sync.layers] for name, sync in seen.app.syncs.items()})


def _masked(seen: Seen, why: Why) -> Why:
    """The same with values hidden beside names of secrets, in payloads and in what was answered."""
    masked = msgspec.structs.replace(why, payload=seen.masked_value(why.payload))
    if why.state is not None:
        masked.state = msgspec.structs.replace(why.state, error=_text(seen, why.state.error))
    if why.source.error is not None:
        masked.source = msgspec.structs.replace(why.source, error=seen.masked(why.source.error))
    masked.verdict = msgspec.structs.replace(why.verdict, because=seen.masked(why.verdict.because))
    masked.links = [msgspec.structs.replace(each, error=_text(seen, each.error)) for each in why.links]
    for name in ("run", "live"):
        if (run := getattr(why, name)) is not None:
            setattr(masked, name, msgspec.structs.replace(run, error=_text(seen, run.error)))
    if why.remote is not None:
        masked.remote = msgspec.structs.replace(why.remote, held=seen.masked_value(why.remote.held),
                                                error=_text(seen, why.remote.error))
    return masked


def _text(seen: Seen, text: str | None) -> str | None:
    return None if text is None else seen.masked(text)


VIEWS = [
    View(path="/syncs/{sync}/failed", asked=FailedAsked, load=load_failed, template="records/failed.html",
         title=lambda m: f"Failed records of {m.sync}", nav="syncs"),
    View(path="/why/sent", asked=FindAsked, load=load_find, template="records/find.html",
         title="Why was a record sent, or not?", nav="syncs"),
    View(path="/why/sent/{sync}/{layer}", exact=True, asked=SentAsked, load=load_sent, template="records/sent.html",
         title=lambda m: f"Why was {key(m.why.key) if m.why else 'a record'} sent, or not?", nav="syncs"),
]
ACTIONS = [Action(path="/syncs/{sync}/retry", asked=Retry, do=retry)]
