"""Records that failed, are blocked or in doubt, gathered into classes of identical errors; and sending them again now.

Two records are of one class if they are of one layer, in one state, and failed with the same code and with messages
that differ in nothing but numbers, quoted names and addresses. Reading is by pages, and of what is in order nothing is
read.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from penstock.domain.errors import ConfigurationError
from penstock.domain.names import did_you_mean
from penstock.domain.records import Subject
from penstock.store.port import Store, Transaction
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.state.messages import pattern, plain

_PAGE = 1000
_SAMPLES = 3
_MOST_CLASSES = 1000
"""Beyond these, messages that no pattern brings together are told apart by their code only."""


class Failure(NamedTuple):
    """One record's row. Times are in milliseconds since 1970, UTC."""

    status: str
    key: str
    error_class: str | None
    error: str | None
    attempts: int | None
    retry_at: int | None
    changed_at: int

    @property
    def code(self) -> str:
        return plain(self.error_class or "") or "unknown"


@dataclass(slots=True)
class ErrorClass:
    """Identical errors of one layer's records.

    `name` is what `retry` takes, `message` the last one of any of them, `first_at` and `last_at` when the first and the
    last of them came to be so, `retry_at` when the next of them goes again by itself (None: with the next run, or in no
    run), `keys` a few of them.
    """

    layer: str
    name: str
    status: str
    code: str
    message: str
    count: int = 0
    first_at: int = 0
    last_at: int = 0
    retry_at: int | None = None
    keys: list[str] = field(default_factory=list)

    def add(self, failure: Failure) -> None:
        """Count one record in."""
        if self.count == 0 or failure.changed_at < self.first_at:
            self.first_at = failure.changed_at
        if failure.changed_at >= self.last_at:
            self.last_at, self.message = failure.changed_at, failure.error or ""
        if failure.retry_at is not None and failure.status == "failed":
            self.retry_at = min(self.retry_at or failure.retry_at, failure.retry_at)
        if len(self.keys) < _SAMPLES:
            self.keys.append(failure.key)
        self.count += 1


def error_classes(store: Store, definition: SyncDefinition, subjects: Sequence[Subject] = ()) -> list[ErrorClass]:
    """What is wrong with the records of some subjects, else of all; the most frequent first.

    An account-scoped layer's records belong to the account, so those of the subjects' accounts are given.
    """
    found: dict[str, ErrorClass] = {}
    for layer in definition.layers:
        for scope in _scopes(store, layer, subjects):
            for page in _pages(store, layer, scope):
                for failure in page:
                    name = class_name(layer.name, failure)
                    if name not in found and len(found) >= _MOST_CLASSES:
                        name = failure.code
                    if name not in found:
                        found[name] = ErrorClass(layer.name, name, failure.status, failure.error_class or "", "")
                    found[name].add(failure)
    return sorted(found.values(), key=lambda each: (-each.count, each.layer, each.name))


def class_name(layer: str, failure: Failure) -> str:
    """The name of a record's class: its code, and a mark of its layer, state and message."""
    said = "\0".join((layer, failure.status, failure.code, pattern(failure.error or "", failure.key)))
    return f"{failure.code}-{blake2b(said.encode('utf-8', 'surrogatepass'), digest_size=3).hexdigest()}"


@dataclass(slots=True)
class Retried:
    """How many records are due now, of which layers; and the subjects to request, with their accounts where known."""

    count: int = 0
    layers: set[str] = field(default_factory=set)
    subjects: dict[str, str | None] = field(default_factory=dict)


def retry(store: Store, definition: SyncDefinition, *, error_class: str | None = None, layer: str | None = None,
          keys: Collection[str] = (), subjects: Sequence[Subject] = ()) -> Retried:
    """Make records due now: those of a class (or of all classes of a code), and of a layer, and of some keys.

    What is in doubt is looked up in any run, and what is blocked goes once its parent is there, so of these only the
    subjects are given. Raises `ConfigurationError` where there is no such layer, or no such record.
    """
    if layer is not None and layer not in (names := [each.name for each in definition.layers]):
        raise ConfigurationError(f"{definition.name} has no layer {layer!r}{did_you_mean(layer, names)}")
    retried = Retried()
    known: set[str] = set()
    for each in definition.layers:
        if layer not in (None, each.name):
            continue
        for scope in _scopes(store, each, subjects):
            for page in _pages(store, each, scope):
                known.update(class_name(each.name, failure) for failure in page)
                chosen = [failure.key for failure in page if (not keys or failure.key in keys) and (
                    error_class is None or error_class in (failure.code, failure.error_class,
                                                           class_name(each.name, failure)))]
                if chosen:
                    _due(store, definition, each, scope, chosen, retried)
    if not retried.count:
        wanted = " ".join([*([f"of class {error_class!r}"] if error_class else []), *([f"in {layer}"] if layer else []),
                           *([f"with the keys {', '.join(sorted(keys))}"] if keys else [])])
        raise ConfigurationError(f"no record {wanted or 'at all'} of {definition.name} failed"
                                 f"{did_you_mean(error_class or '', known)}; `penstock failed {definition.name}` lists"
                                 " what did")
    return retried


def _due(store: Store, definition: SyncDefinition, layer: LayerDefinition, scope: str, keys: list[str],
         retried: Retried) -> None:
    params = {"scope": scope, "keys": keys}

    def work(tx: Transaction) -> list[str]:
        tx.execute("failures_retry", params, layer=layer.table)
        return [row[0] for row in tx.rows("failures_subjects", params, layer=layer.table)]

    last = store.write(work)
    retried.count += len(keys)
    retried.layers.add(layer.name)
    if not layer.account_scoped:
        retried.subjects.setdefault(scope, None)
    elif last:  # the subjects whose runs met these records last
        retried.subjects.update(dict.fromkeys(last, scope))
    else:
        retried.subjects.update({subject.key: scope for subject in definition.sync.subjects()
                                 if subject.account == scope})


def _scopes(store: Store, layer: LayerDefinition, subjects: Sequence[Subject]) -> list[str]:
    """The scopes of some subjects; else those with anything that is not in order."""
    if subjects:
        return list(dict.fromkeys(layer.scope(subject.key, subject.account) for subject in subjects))
    return [row[0] for row in store.read(lambda tx: tx.rows("failing_scopes", layer=layer.table))]


def _pages(store: Store, layer: LayerDefinition, scope: str) -> Iterator[list[Failure]]:
    after = ("", "")
    while rows := _page(store, layer, scope, after):
        after = (rows[-1].status, rows[-1].key)
        yield rows


def _page(store: Store, layer: LayerDefinition, scope: str, after: tuple[str, str]) -> list[Failure]:
    params = {"scope": scope, "status": after[0], "key": after[1], "count": _PAGE}
    return [Failure(*row) for row in store.read(lambda tx: tx.rows("failures_page", params, layer=layer.table))]
