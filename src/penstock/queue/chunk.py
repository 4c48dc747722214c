"""Chunks: many jobs of one task, given to one call of its function.

The invariant: each job keeps its own id, lease, attempt and outcome. A call has nothing of its own in the store.
"""

import inspect
import keyword
import typing
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Generic, NotRequired, Required, TypeAlias, TypeVar

import msgspec

from penstock.domain.envelope import NO_CONTEXT, Context
from penstock.domain.errors import DeclarationError, InvalidArguments, InvalidCheckpoint
from penstock.domain.plain import UNWRITABLE, encoder
from penstock.queue.arguments.signature import PAYLOAD_LIMIT_BYTES, Signature
from penstock.queue.attempt import Attempt

T = TypeVar("T")

ARGUMENT = "argument"
"""What the one argument is called where a job's type has no fields that could be its arguments."""


class ChunkJob(msgspec.Struct, Generic[T], frozen=True, eq=False):
    """One job of a chunk: its id, which never changes, its `arguments`, and the number of this attempt at it, from 1.

    `asked` are the jobs that somebody has cancelled meanwhile. `context` came along from whoever enqueued the job.
    """

    id: int
    arguments: T
    attempt: int = 1
    max_attempts: int = 1
    asked: AbstractSet[int] = frozenset()
    context: Context = NO_CONTEXT

    @property
    def cancelled(self) -> bool:
        """Whether somebody has cancelled the job since the call began. It is not tried again, whatever it comes to."""
        return self.id in self.asked


Jobs: TypeAlias = Sequence[ChunkJob[T]]
"""What the function of a chunk task takes: `Jobs[T]`, where T is what one job's `enqueue` takes."""

Outcomes: TypeAlias = Mapping[ChunkJob[Any], object] | Mapping[int, object] | None
"""What it may return: for a job, or its id, a `Retry`, `Cancel` or `Snooze`, an exception (it failed), or None; where
results are recorded, the job's. A job that is not mentioned has completed."""


class ChunkAttempt(Attempt, eq=False, weakref=True):
    """One call with many jobs, under way in this worker: `job` is the first of `jobs`.

    In `deadlines` are those that have one, by id, as seconds of `time.monotonic()`.
    """

    deadlines: Mapping[int, float] = {}

    def written(self, cursor: object) -> str:
        """Refuse a cursor: what a call has done of one job says nothing of the next call's jobs."""
        raise InvalidCheckpoint(f"job {self.job.id}: expected no cursor of a call with many jobs, got {cursor!r}: each"
                                " of its jobs may be in another call next time")


class ChunkSignature(Signature):
    """The arguments of one job of a chunk task: a value of the type that its `Jobs[…]` names.

    The fields of a dataclass, a Struct or a TypedDict are the job's arguments, by their names; a value of any other
    type is its one argument, `argument`.
    """

    def __init__(self, name: str, function: Callable[..., Any], payload_limit_bytes: int = PAYLOAD_LIMIT_BYTES, *,
                 hidden: bool = False) -> None:
        self.type = _type_of_one(name, function)
        parameters = _fields(self.type)
        self._whole = parameters is not None
        stands_for = _standing_for(parameters or [inspect.Parameter(ARGUMENT, inspect.Parameter.KEYWORD_ONLY,
                                                                    annotation=self.type)])
        super().__init__(name, stands_for, payload_limit_bytes, hidden=hidden)
        self._one = msgspec.json.Decoder(self.type if self._whole else self._fields)
        self._many = msgspec.json.Decoder(list[self.type if self._whole else self._fields])  # type: ignore[misc]

    def encode(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """A job's arguments as JSON text. Raises `InvalidArguments` where they are not one value of the type."""
        if len(args) != 1 or kwargs:
            given = len(args) + len(kwargs)
            raise InvalidArguments(f"{self}: expected one value, of type {_named(self.type)}, for"
                                   f" one job, got {given}: each job of a chunk is enqueued by itself")
        try:
            encoded = encoder.encode(args[0] if self._whole else {ARGUMENT: args[0]})
        except UNWRITABLE as error:
            raise InvalidArguments(f"{self}: {error}") from None
        self._read(encoded.decode())
        return self._bounded(encoded)

    def decode(self, arguments: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The one value. Raises `InvalidArguments` where the arguments no longer fit."""
        return (self._read(arguments),), {}

    def decode_all(self, arguments: Sequence[str]) -> list[Any]:
        """The values of many jobs, read in one go; in place of those that no longer fit, the `InvalidArguments`."""
        try:
            values = self._many.decode(f"[{','.join(arguments)}]")
        except (msgspec.ValidationError, msgspec.DecodeError):
            return [self._read_or_fault(each) for each in arguments]
        return values if self._whole else [value.argument for value in values]

    def _read(self, arguments: str) -> Any:
        try:
            value = self._one.decode(arguments)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise self.unfit(error, arguments) from None
        return value if self._whole else value.argument

    def _read_or_fault(self, arguments: str) -> Any:
        try:
            return self._read(arguments)
        except InvalidArguments as error:
            return error


def _type_of_one(name: str, function: Callable[..., Any]) -> Any:
    """T of the `Jobs[T]` that a function takes. Raises `DeclarationError`."""
    parameters = inspect.signature(function).parameters
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception as error:  # whatever evaluating an annotation may raise
        raise DeclarationError(f"task {name}: a type in its signature cannot be found: {error}") from None
    hint = hints.get(next(iter(parameters), ""))
    (item,) = typing.get_args(hint) if len(typing.get_args(hint)) == 1 else (None,)
    types = typing.get_args(item) if typing.get_origin(item) is ChunkJob else ()
    if len(parameters) != 1 or len(types) != 1 or isinstance(types[0], TypeVar):
        raise DeclarationError(f"task {name}: expected a function of one parameter, such as jobs: Jobs[Document], since"
                               f" it has chunk=, got {inspect.signature(function)}")
    return types[0]


def _fields(kind: Any) -> list[inspect.Parameter] | None:
    """The fields of a type that is written as a JSON object with a member for each; None for any other."""
    try:
        info: Any = msgspec.inspect.type_info(kind)
    except TypeError:
        return None  # whoever makes a decoder for it says why
    if not isinstance(info, msgspec.inspect.StructType | msgspec.inspect.DataclassType | msgspec.inspect.TypedDictType):
        return None
    if isinstance(info, msgspec.inspect.StructType) and (info.array_like or info.tag_field is not None):
        return None
    if not all(field.encode_name.isidentifier() and not keyword.iskeyword(field.encode_name) for field in info.fields):
        return None
    hints = typing.get_type_hints(kind, include_extras=True)
    return [inspect.Parameter(field.encode_name, inspect.Parameter.KEYWORD_ONLY, default=_default(field),
                              annotation=_needed_or_not(hints[field.name])) for field in info.fields]


def _default(field: Any) -> Any:
    if field.required:
        return inspect.Parameter.empty
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else None


def _needed_or_not(hint: Any) -> Any:
    """A type without the `Required` or `NotRequired` that a TypedDict may have around it."""
    return typing.get_args(hint)[0] if typing.get_origin(hint) in (Required, NotRequired) else hint


def _standing_for(parameters: Sequence[inspect.Parameter]) -> Callable[..., None]:
    """A function that has these parameters, as far as `inspect` can tell."""
    def one(**_: Any) -> None: ...

    one.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    one.__annotations__ = {each.name: each.annotation for each in parameters}
    return one


def _named(kind: Any) -> str:
    return getattr(kind, "__name__", None) or str(kind)

