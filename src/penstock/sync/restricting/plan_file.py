"""A plan as a file: one JSON document that names every change, written and read piece by piece.

Its format is described in docs/plans.md. What a reader does not know it passes over, so the version changes only where
an older reader would do something else than the file says.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal

import msgspec

from penstock.domain.digest import DIGEST_BYTES
from penstock.domain.errors import PlanRefused
from penstock.domain.names import did_you_mean
from penstock.domain.pull import Pull
from penstock.domain.records import ChangeKind
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.planning.plan import Item, LayerPlan
from penstock.sync.restricting.planned import Named, Plans, changes_of, declared, named

FORMAT, VERSION = "penstock plan", 1
_PAGE = 1000


class Change(msgspec.Struct, omit_defaults=True):
    """A change as it stands in the file. `payload` is there for people, if they asked for values."""

    kind: Literal["create", "update", "delete", "adopt"]
    key: str
    digest: str | None = None
    remote_id: str | None = None
    fields: tuple[str, ...] | None = None
    payload: Any = None


class Writer:
    """Writes a plan: `begin`, then `subject` for each one, then `end`. Nothing is kept of what was written."""

    def __init__(self, write: Callable[[str], object], values: bool = False) -> None:
        self._write = write
        self._values = values
        self._any = False

    def begin(self, sync: str, made_at: int) -> None:
        """`made_at` is in milliseconds since 1970, UTC."""
        head = _text({"format": FORMAT, "version": VERSION, "sync": sync, "made_at": made_at})
        self._write(f'{head[:-1]},"subjects":[')

    def subject(self, key: str, account: str, layers: Sequence[tuple[Mapping[str, Any], LayerPlan]]) -> None:
        """One subject, each of its layers with what is said of it as a whole, and its plan."""
        self._write(("," if self._any else "") + f'\n{_text({"subject": key, "account": account})[:-1]},"layers":[')
        self._any = True
        for place, (described, plan) in enumerate(layers):
            head = _text({"layer": plan.layer.name, "declared": declared(plan.layer), **described})
            self._write(("," if place else "") + f'\n{head[:-1]},"changes":[')
            between = "\n"
            for kind, item in changes_of(plan):
                self._write(between + _text(self._change(kind, item)))
                between = ",\n"
            self._write("]}")
        self._write("]}")

    def end(self, **described: Any) -> None:
        """What is said of all of it."""
        self._write(f"],\n{_text(described)[1:]}\n" if described else "]}\n")

    def _change(self, kind: str, item: Item) -> Change:
        name = named(kind, item)
        fields = None if item.changed is None else (*item.changed, *item.dropped)
        payload = item.change(ChangeKind.UPDATE).payload if self._values else None
        return Change(name.kind, name.key, name.digest.hex() if name.digest else None,  # type: ignore[arg-type]
                       name.remote_id, fields, payload)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plan that is in the store: its subjects with their accounts, and what is to be said of it before it is applied.
    """

    plan_id: int
    subjects: dict[str, str]
    notes: list[str]


def load(plans: Plans, definition: SyncDefinition, file: IO[str], name: str) -> Loaded:
    """Read a plan's file into the store. `name` is the file's, for messages.

    Raises `PlanRefused` where it is no plan, or none of this sync, and leaves nothing in the store.
    """
    return _Loading(plans, definition, name).read(Pull(file))


class _Loading:
    def __init__(self, plans: Plans, definition: SyncDefinition, name: str) -> None:
        self._plans = plans
        self._definition = definition
        self._name = name
        self._now = {layer.name: declared(layer) for layer in definition.layers}
        self._then: dict[str, str] = {}
        self._subjects: dict[str, str] = {}
        self._count = 0
        self._plan_id: int | None = None

    def read(self, pull: Pull) -> Loaded:
        try:
            self._document(pull)
            assert self._plan_id is not None
            if self._plans.count(self._plan_id) != self._count:
                raise self._refused("it names a record twice")
            self._plans.declare(self._plan_id, self._then)
        except BaseException as error:
            if self._plan_id is not None:
                self._plans.remove(self._plan_id)
            if isinstance(error, ValueError):
                raise self._refused(f"{error}") from None
            raise
        notes = [f"the renderer of {layer} changed since the plan was made, or its key, match or mode"
                 for layer, then in self._then.items() if then != self._now[layer]]
        return Loaded(self._plan_id, self._subjects, notes)

    def _document(self, pull: Pull) -> None:
        head: dict[str, Any] = {}
        for member in pull.members():
            if member != "subjects":
                head[member] = pull.value()
                continue
            self._check(head)
            self._plan_id = self._plans.begin(self._definition.name)
            for _ in pull.items():
                self._subject(pull)
        if self._plan_id is None:
            self._check(head)
            raise ValueError("expected its subjects, got none")
        pull.end()

    def _check(self, head: Mapping[str, Any]) -> None:
        """Whether it is a plan of this sync that this version can read."""
        if head.get("format") != FORMAT:
            raise ValueError(f'it does not begin with "format":"{FORMAT}"')
        if head.get("version") != VERSION:
            raise self._refused(f"expected a plan of format version {VERSION}, got {head.get('version')!r}: it was made"
                                " by another version of Penstock")
        if (sync := head.get("sync")) != self._definition.name:
            raise self._refused(f"expected a plan of the sync {self._definition.name}, got one of {sync}",
                                f"penstock sync {sync} --plan {self._name}")

    def _subject(self, pull: Pull) -> None:
        head: dict[str, Any] = {}
        for member in pull.members():
            if member != "layers":
                head[member] = pull.value()
                continue
            subject, account = _string(head, "subject"), _string(head, "account")
            if subject in self._subjects:
                raise ValueError(f"it has the subject {subject!r} twice")
            self._subjects[subject] = account
            for _ in pull.items():
                self._layer(pull, subject)

    def _layer(self, pull: Pull, subject: str) -> None:
        head: dict[str, Any] = {}
        for member in pull.members():
            if member != "changes":
                head[member] = pull.value()
                continue
            layer = _string(head, "layer")
            if layer not in self._now:
                raise self._refused(f"expected changes of the layers {', '.join(self._now)}, got some of"
                                    f" {layer}{did_you_mean(layer, self._now)}")
            self._then[layer] = _string(head, "declared")
            self._changes(pull, subject, layer)

    def _changes(self, pull: Pull, subject: str, layer: str) -> None:
        page: list[Named] = []
        for _ in pull.items():
            page.append(_named(pull.value()))
            if len(page) == _PAGE:
                self._add(subject, layer, page)
                page = []
        self._add(subject, layer, page)

    def _add(self, subject: str, layer: str, page: Sequence[Named]) -> None:
        if page:
            assert self._plan_id is not None
            self._plans.add(self._plan_id, subject, layer, page)
            self._count += len(page)

    def _refused(self, fault: str, instead: str | None = None) -> PlanRefused:
        again = f"penstock plan {self._definition.name} --out {self._name}"
        return PlanRefused(f"{self._name} is not a plan that can be applied: {fault}; nothing was requested. Use"
                           f" `{instead or again}`")


def _string(head: Mapping[str, Any], name: str) -> str:
    """A member that has to stand before those that are read piece by piece."""
    value = head.get(name)
    if not isinstance(value, str):
        raise ValueError(f"expected {name!r} to be text and to stand before what belongs to it, got {value!r:.50}")
    return value


def _named(value: Any) -> Named:
    change = msgspec.convert(value, Change)
    digest = bytes.fromhex(change.digest) if change.digest is not None else None
    if (digest is None) != (change.kind == "delete") or (digest is not None and len(digest) != DIGEST_BYTES):
        raise ValueError(f"expected a digest of {2 * DIGEST_BYTES} hexadecimal digits for whatever is not deleted, got"
                         f" {change.digest!r:.50} for {change.key!r:.50}")
    return Named(change.key, change.kind, digest, change.remote_id)

