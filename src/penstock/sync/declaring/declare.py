"""Declaring syncs: the classes that people write, and what becomes of them when the app is built."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, get_args

from penstock.domain.errors import PenstockError
from penstock.domain.limits import Limit, Window
from penstock.domain.records import Subject
from penstock.sync.declaring.guard import Guard

if TYPE_CHECKING:
    from penstock.sync.declaring.requesting import Only, Requesting, Wanted

R = TypeVar("R")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Reference:
    """A field of one layer's records that holds the key of another layer's record."""

    layer: "type[Layer[Any]]"
    fields: tuple[str, ...]


class Layer(Generic[R]):
    """One kind of entity at a destination. The type of its records is `R`: a dataclass, a msgspec Struct or a dict.

    Verbs come from `destination`, or are methods of the layer: `create`, `update`, `delete`, each taking
    `(changes, run)` and giving one outcome per change; `create_one` and the like take a single change.

    `mode` is `mirror`, or one that does less: `upsert` deletes nothing, `create_only` also changes nothing,
    `update_only` neither creates nor deletes. `field_digests` keeps 4 bytes a field, which tell the fields that a
    change is about; without them a field that `render` no longer gives is a change like any other.

    A layer that can tell what changed has two methods beside `source`: `cursor(run)`, which gives where it stands (any
    JSON value), and `changed_since(cursor, run)`, a generator of the records that changed, which returns the next
    cursor. It is then read whole every `full_every`, which alone shows what has left.

    What becomes of a create whose answer was lost is in docs/outcomes.md. The layer, or its destination, may declare
    `enforces_key` (a second create of a record is refused as a conflict), `idempotent` (it makes no second record) or
    `idempotency_keys` (`change.idempotency_key` is sent along). Where it declares none of them, a look-up that finds
    nothing is believed once `in_doubt_delay` is over; and where there is no `find` either, the record waits for a
    person, unless `duplicates_possible`. `rate_codes` are codes of `Rejected`, besides the usual, that say "too often".

    `was` is the former name of a class that was renamed, or several; `key_was` are the fields that `key` was before, of
    which records still have the values. See docs/renaming.md.

    A call has at most `batch_size` changes (100, unless the destination says otherwise) and, if given, `batch_bytes` of
    payloads, counted as canonical JSON with the remote ids of parent and references: leave room for what is wrapped
    around them. A record that alone is larger is not sent; it fails as `too_large`.

    `consistency_lag` is for how long a read may not show yet what was written here; see docs/windows.md.

    `guard` says from how many on deletes are withheld until a person approves them. `prune_unmanaged` deletes also what
    was only ever observed at the destination, where the source does not have it. See docs/deleting.md.
    """

    scope: ClassVar[str] = "subject"
    key: ClassVar[str | tuple[str, ...]] = ""
    key_was: ClassVar[str | tuple[str, ...]] = ""
    was: ClassVar[str | tuple[str, ...]] = ()
    match: ClassVar[str | None] = None
    on_delete: ClassVar[str] = "delete"
    guard: ClassVar[Guard] = Guard()
    prune_unmanaged: ClassVar[bool] = False
    mode: ClassVar[str] = "mirror"
    batch_size: ClassVar[int | None] = None
    batch_bytes: ClassVar[int | None] = None
    field_digests: ClassVar[bool] = True
    full_every: ClassVar[timedelta] = timedelta(days=1)
    enforces_key: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    idempotency_keys: ClassVar[bool] = False
    duplicates_possible: ClassVar[bool] = False
    in_doubt_delay: ClassVar[timedelta] = timedelta(seconds=30)
    consistency_lag: ClassVar[timedelta] = timedelta(0)
    rate_codes: ClassVar[Collection[str]] = ()
    parent: ClassVar[Reference | None] = None
    references: ClassVar[list[Reference]] = []
    source: Any = None
    destination: Any = None

    @classmethod
    def by(cls, *fields: str) -> Reference:
        """Says that these fields of another layer's records hold this layer's key."""
        return Reference(cls, fields)

    @classmethod
    def record_type(cls) -> Any:
        """The `R` of `Layer[R]`, or None where it was not given."""
        for owner in cls.__mro__:
            for base in owner.__dict__.get("__orig_bases__", ()):
                arguments = get_args(base)
                if arguments and not isinstance(arguments[0], TypeVar):
                    return arguments[0]
        return None


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """What `@app.sync(…)` was given."""

    max_concurrent: int = 1
    per_account: int = 1
    window: Window | None = None
    every: timedelta | None = None
    limits: tuple[Limit, ...] = ()
    audit_every: timedelta | None = None
    was: tuple[str, ...] = ()
    cron: str | None = None


class Sync(Generic[S]):
    """A sync: which layers, for which subjects, over which connection. The type of what `load` gives is `S`.

    It may have `load(key)`, which gives a subject afresh, or None where it is gone; and a `snapshot`, a class whose
    `load()` gives what all subjects share (see docs/windows.md).
    """

    layers: ClassVar[list[type[Layer[Any]]]] = []
    snapshot: ClassVar[Any] = None
    requesting: "ClassVar[Requesting | None]" = None

    def subjects(self) -> Iterator[Subject]:
        """Every subject, with its account and rough size."""
        return iter(())

    def connect(self, account: str) -> Any:
        """A context manager that gives `run.client` for one account, or None where no client is needed."""
        return None

    @classmethod
    def using(cls, *, priority: int = 0, reason: str = "", connection: Any = None, full: bool = False,
              only: "Only" = ()) -> "Requesting":
        """Options for a request. With `connection` it joins the transaction that is open on it.

        `full`: every record is sent again, and nothing is deleted. `only`: nothing but these is read, sent or deleted,
        each `"LAYER"`, `"LAYER:KEY"` or `("LAYER", key)`, where a key of several fields is a sequence. Raises
        `ConfigurationError` for what is no layer, or no key of it. See docs/state.md.
        """
        return cls._bound().using(priority=priority, reason=reason, connection=connection, full=full, only=only)

    @classmethod
    def request(cls, subject: str, *, account: str | None = None) -> None:
        """Ask that one subject be brought up to date, soon. See `Requesting.request`."""
        cls._bound().request(subject, account=account)

    @classmethod
    async def arequest(cls, subject: str, *, account: str | None = None) -> None:
        """The same from `async` code."""
        await cls._bound().arequest(subject, account=account)

    @classmethod
    def request_many(cls, subjects: "Iterable[Wanted]") -> None:
        """Ask it of many subjects in one statement: keys, `(key, account)`, or what `subjects()` gives."""
        cls._bound().request_many(subjects)

    @classmethod
    async def arequest_many(cls, subjects: "Iterable[Wanted]") -> None:
        """The same from `async` code."""
        await cls._bound().arequest_many(subjects)

    @classmethod
    def _bound(cls) -> "Requesting":
        if cls.requesting is None:
            raise PenstockError(f"{cls.__name__} belongs to no app yet: decorate it with @app.sync('name')")
        return cls.requesting


@dataclass(frozen=True, slots=True)
class SyncDefinition:
    """A sync as the app knows it: checked, its layers in an order in which parents come before children."""

    name: str
    sync: Sync[Any]
    layers: "tuple[Any, ...]"
    options: SyncOptions = field(default_factory=SyncOptions)
