"""A task's arguments: checked against its signature where it is called, and again where it runs.

They travel as JSON by msgspec. The check at enqueue decodes what was encoded, exactly as the worker will, so a
call that cannot run fails in its caller.
"""

import inspect
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from penstock.domain.errors import DeclarationError, InvalidArguments
from penstock.domain.plain import UNWRITABLE, encoder
from penstock.queue.arguments.marks import ALL, HIDDEN, Marks, marks_of

PAYLOAD_LIMIT_BYTES = 256 * 1024


class _Hidden:
    def __repr__(self) -> str:
        return HIDDEN


_HIDDEN = _Hidden()


class Signature:
    """The parameters of one function as a JSON object with a field for each."""

    def __init__(self, name: str, function: Callable[..., Any], payload_limit_bytes: int = PAYLOAD_LIMIT_BYTES, *,
                 hidden: bool = False) -> None:
        """Nobody is shown the arguments of a `hidden` one."""
        self.name = name
        self._limit = payload_limit_bytes
        self._signature = inspect.signature(function)
        self._read_plan()
        try:
            hints = typing.get_type_hints(function, include_extras=True)
        except Exception as error:  # whatever evaluating an annotation may raise
            raise DeclarationError(f"task {name}: a type in its signature cannot be found: {error}") from None
        fields: list[tuple[str, Any, Any] | tuple[str, Any]] = []
        for parameter in self._signature.parameters.values():
            kind: Any = hints.get(parameter.name, Any)
            if parameter.kind is parameter.VAR_POSITIONAL:
                fields.append((parameter.name, list[kind] | msgspec.UnsetType, msgspec.UNSET))
            elif parameter.kind is parameter.VAR_KEYWORD:
                fields.append((parameter.name, dict[str, kind] | msgspec.UnsetType, msgspec.UNSET))
            elif parameter.default is not parameter.empty:
                fields.append((parameter.name, kind | msgspec.UnsetType if kind is not Any else Any, msgspec.UNSET))
            else:
                fields.append((parameter.name, kind))
        self.marks: Marks | None = ALL if hidden else marks_of({field[0]: field[1] for field in fields})
        try:
            self._fields = msgspec.defstruct("Arguments", fields, kw_only=not self._ordered, forbid_unknown_fields=True)
            self._decoder = msgspec.json.Decoder(self._fields)
        except TypeError as error:
            raise DeclarationError(f"task {name}{self._signature}: a parameter's type cannot come from JSON: {error}"
                                   ) from None

    def _read_plan(self) -> None:
        """Which parameters are plain: for those neither end needs the slow machinery of `inspect`."""
        kinds = {each.kind for each in self._signature.parameters.values()}
        self.names = tuple(self._signature.parameters)
        self._ordered = kinds <= {inspect.Parameter.POSITIONAL_OR_KEYWORD}
        self._plain = kinds <= {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}

    def encode(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The arguments as JSON text. Raises `InvalidArguments` where a worker could not call the task with them."""
        try:
            given: Any
            if self._ordered:
                given = self._fields(*args, **kwargs)
            elif args or not self._plain:
                given = self._signature.bind(*args, **kwargs).arguments
            else:
                given = kwargs
            encoded = encoder.encode(given)
            self._decoder.decode(encoded)
        except UNWRITABLE:
            encoded = self._bound(args, kwargs)  # which finds the argument at fault
        return self._bounded(encoded)

    def _bounded(self, encoded: bytes) -> str:
        if len(encoded) > self._limit:
            raise InvalidArguments(
                f"{self}: expected arguments of at most {self._limit:,} bytes as JSON, got"
                f" {len(encoded):,}: store what is large elsewhere and pass its key, or raise payload_limit_bytes"
            )
        return encoded.decode()

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        try:
            given = self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise InvalidArguments(f"{self}: {error}") from None
        for name, value in given.items():
            try:
                encoder.encode(value)
            except UNWRITABLE as error:
                raise InvalidArguments(f"{self}: argument {name!r}: {error}") from None
        encoded = encoder.encode(given)
        self._decoded(encoded)
        return encoded

    def chosen(self, arguments: str, names: tuple[str, ...] | None) -> dict[str, bytes]:
        """Some of the encoded arguments (None: all), each as JSON; a default stands for one that was not given.

        Raises `InvalidArguments` for a default that JSON does not have.
        """
        given = msgspec.json.decode(arguments, type=dict[str, msgspec.Raw])
        found = {}
        for name in self.names if names is None else names:
            default = self._signature.parameters[name].default
            if name in given:
                found[name] = bytes(given[name])
            elif default is not inspect.Parameter.empty:
                try:
                    found[name] = encoder.encode(default)
                except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
                    raise InvalidArguments(
                        f"{self}: the default of {name!r} cannot be part of a unique key"
                        f" ({error}): give the argument, or leave it out of Unique(args=…)") from None
        return found

    def values(self, arguments: str, names: tuple[str, ...]) -> list[Any]:
        """Some of the encoded arguments as the body would get them; a default stands for one that was not given."""
        if not names:
            return []
        fields = self._decoded(arguments.encode())
        found = []
        for name in names:
            value = getattr(fields, name)
            if value is msgspec.UNSET:
                default = self._signature.parameters[name].default
                value = None if default is inspect.Parameter.empty else default
            found.append(value)
        return found

    def decode(self, arguments: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments to call the function with. Raises `InvalidArguments` where they no longer fit its signature."""
        if not self.names and arguments == "{}":
            return (), {}
        fields = self._decoded(arguments.encode())
        if self._plain:
            return (), {name: value for name in self.names
                        if (value := getattr(fields, name)) is not msgspec.UNSET}
        given = inspect.BoundArguments(self._signature, {
            name: value for name in self._signature.parameters
            if (value := getattr(fields, name)) is not msgspec.UNSET
        })
        return given.args, given.kwargs

    def _decoded(self, arguments: bytes) -> Any:
        try:
            return self._decoder.decode(arguments)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise self.unfit(error, arguments.decode()) from None

    def unfit(self, error: Exception, arguments: str) -> InvalidArguments:
        """The error of encoded arguments that do not fit, without what nobody is to see."""
        return InvalidArguments(f"{self}: {error if self.marks is None else self.marks.cleaned(f'{error}', arguments)}")

    def __str__(self) -> str:
        """The task as it is declared; a default that nobody is to see is not shown either."""
        if self.marks is None:
            return f"{self.name}{self._signature}"
        return self.name + str(self._signature.replace(parameters=[
            each.replace(default=_HIDDEN) if each.default is not each.empty and self.is_marked(each.name) else each
            for each in self._signature.parameters.values()]))

    def is_marked(self, name: str) -> bool:
        """Whether something in a parameter is marked."""
        return self.marks is not None and (self.marks.all or name in self.marks.fields)
