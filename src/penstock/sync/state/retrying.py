"""Letting records that failed go again now, however many they are.

They are made due a page at a time: each page is one bounded statement by key, in a transaction of its own. The subjects
whose runs are to send them are requested after that, before it counts as done: so whoever is interrupted loses nothing,
and goes on from the last place that was told, doing a few pages again, which changes nothing.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from penstock.domain.errors import ConfigurationError
from penstock.domain.names import did_you_mean
from penstock.domain.records import Subject
from penstock.store.port import Store, Transaction
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.state.failures import MOST_CLASSES, Page, Place, Walk, class_name, scopes_of

_MOST_PAGES = 20
_MOST_SUBJECTS = 500
MOST_TOLD = 1000


class Which(msgspec.Struct, frozen=True):
    """Records of a class (or of all classes of a code), of a layer, and of some keys; of some `scopes` of each layer,
    else of all."""

    error_class: str | None = None
    layer: str | None = None
    keys: Sequence[str] = ()
    scopes: Mapping[str, Sequence[str]] | None = None

    def chosen(self, page: Page) -> list[str]:
        """The keys of those on a page."""
        return [each.key for each in page.failures if self.error_class is None or self.error_class in (
            each.code, each.error_class, class_name(page.layer.name, each))]

    def __str__(self) -> str:
        return " ".join([*([f"of class {self.error_class!r}"] if self.error_class else []),
                         *([f"in {self.layer}"] if self.layer else []),
                         *([f"with the keys {', '.join(sorted(self.keys))}"] if self.keys else [])])


def which(definition: SyncDefinition, *, error_class: str | None = None, layer: str | None = None,
          keys: Collection[str] = (), subjects: Sequence[Subject] = ()) -> Which:
    """Raises `ConfigurationError` where there is no such layer."""
    if layer is not None and layer not in (names := [each.name for each in definition.layers]):
        raise ConfigurationError(f"{definition.name} has no layer {layer!r}{did_you_mean(layer, names)}")
    return Which(error_class, layer, tuple(keys), scopes_of(definition, subjects))


@dataclass(slots=True)
class Retried:
    """How many records are due now, of which layers; and the subjects that were requested, with their accounts where
    known: the first 1,000 of them.

    `place` is where it goes on, if it is not `over`; the `job` of that id does.
    """

    count: int = 0
    layers: set[str] = field(default_factory=set)
    subjects: dict[str, str | None] = field(default_factory=dict)
    place: Place | None = None
    counted: int = 0
    """How many of them are before that place."""
    over: bool = False
    job: int | None = None
    known: set[str] = field(default_factory=set)
    """Classes that were met."""


Subjects = dict[str, str | None]


def retry(store: Store, definition: SyncDefinition, wanted: Which, request: Callable[[Subjects], object], *,
          after: Place | None = None, most_pages: int | None = None,
          told: Callable[[Retried], object] = lambda _: None) -> Retried:
    """Make records due now, from behind a place on; after so many pages it ends with the place where it goes on.

    What is in doubt is looked up in any run, and what is blocked goes once its parent is there, so of these only the
    subjects are requested. `told` is called after each page, and may raise to end it there.
    """
    done = Retried(place=after)
    due = _Due(store, definition, request)
    reached = after
    try:
        walk = Walk(store, definition, wanted.scopes, layer=wanted.layer, keys=wanted.keys, after=after)
        for number, page in enumerate(walk, 1):
            if len(done.known) < MOST_CLASSES:
                done.known.update(class_name(page.layer.name, each) for each in page.failures)
            if chosen := wanted.chosen(page):
                due.make(page, chosen)
                done.count += len(chosen)
                done.layers.add(page.layer.name)
            reached = page.place
            if number % _MOST_PAGES == 0 or len(due.subjects) >= _MOST_SUBJECTS:
                due.request(done)
                done.place, done.counted = reached, done.count
            told(done)
            if number == most_pages:
                return done
        done.over = True
    finally:
        due.request(done)
        done.place, done.counted = reached, done.count
    return done


def none_found(definition: SyncDefinition, wanted: Which, known: Collection[str]) -> ConfigurationError:
    """What to say where no record is meant."""
    return ConfigurationError(f"no record {str(wanted) or 'at all'} of {definition.name} failed"
                              f"{did_you_mean(wanted.error_class or '', known)}; `penstock failed {definition.name}`"
                              " lists what did")


class _Due:
    """Makes records due, and gathers the subjects that are to be requested for it."""

    def __init__(self, store: Store, definition: SyncDefinition, request: Callable[[Subjects], object]) -> None:
        self._store = store
        self._definition = definition
        self._request = request
        self._of_account: tuple[str, Subjects] = "", {}
        self.subjects: Subjects = {}

    def make(self, page: Page, keys: list[str]) -> None:
        params = {"scope": page.scope, "keys": keys}
        table = page.layer.table

        def work(tx: Transaction) -> list[str]:
            tx.execute("failures_retry", params, layer=table)
            return [row[0] for row in tx.rows("failures_subjects", params, layer=table)]

        last = self._store.write(work)
        if not page.layer.account_scoped:
            self.subjects.setdefault(page.scope, None)
        elif last:  # the subjects whose runs met these records last
            self.subjects.update(dict.fromkeys(last, page.scope))
        else:
            self.subjects.update(self._all_of(page.scope))

    def _all_of(self, account: str) -> Subjects:
        if self._of_account[0] != account:
            self._of_account = account, {each.key: account for each in self._definition.sync.subjects()
                                         if each.account == account}
        return self._of_account[1]

    def request(self, done: Retried) -> None:
        if not self.subjects:
            return
        self._request(self.subjects)
        for subject, account in self.subjects.items():
            if len(done.subjects) < MOST_TOLD or subject in done.subjects:
                done.subjects[subject] = account
        self.subjects = {}
