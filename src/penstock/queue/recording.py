"""How what a task's bodies return is written down, and read again.

The invariant: what is written is JSON within the limit, and what is read fits the task's annotation, or `InvalidResult`
says so. A body has done its work when it returns, so a result that cannot be recorded never makes its job fail.
"""

import typing
from collections.abc import Callable
from datetime import timedelta
from functools import reduce
from operator import or_
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from penstock.domain.errors import DeclarationError, InvalidResult
from penstock.domain.jobs import Retention, message
from penstock.domain.plain import encoder
from penstock.domain.results import Result
from penstock.domain.signals import Signal
from penstock.queue.rules import Rules


class Recording:
    """The results of one task. Raises `DeclarationError` for an annotation that cannot come from JSON."""

    def __init__(self, task: str, returns: Any, result: Result, retention: Retention) -> None:
        if result.keep > retention.completed:
            raise DeclarationError(f"task {task}: result: expected keep of at most the {retention.completed} for which"
                                   f" its jobs are kept (retention.completed), got {result.keep}")
        self._task = task
        self._limit = result.limit_bytes
        self._returns = _without_signals(returns)
        self.keep_ms = result.keep // timedelta(milliseconds=1)
        try:
            self._decoder = msgspec.json.Decoder(self._returns)
            strange = _strange(msgspec.inspect.type_info(self._returns), set())
        except TypeError as error:
            raise DeclarationError(f"task {task}: what it returns cannot come from JSON: {error}") from None
        if strange is not None:
            raise DeclarationError(f"task {task}: what it returns cannot come from JSON: {strange} is none of the types"
                                   " that do: a list, a dict, a dataclass and the like, or Any")

    def written(self, value: object) -> str:
        """What a body returned as JSON. Raises `InvalidResult` for what cannot be recorded."""
        try:
            text = encoder.encode(value)
        except Exception as error:  # the value's own code may raise anything, and the work is done all the same
            raise InvalidResult(f"task {self._task} completed, and what it returned was not recorded: {message(error)}"
                                ) from None
        if len(text) > self._limit:
            raise InvalidResult(
                f"task {self._task} completed, and what it returned was not recorded: expected at most"
                f" {self._limit:,} bytes as JSON, got {len(text):,}: keep what is large elsewhere and return its key,"
                " or raise limit_bytes")
        return text.decode()

    def read(self, text: str) -> Any:
        """A result that was recorded. Raises `InvalidResult` where it does not fit the annotation."""
        try:
            return self._decoder.decode(text)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise InvalidResult(f"task {self._task}: expected a result of {self._returns}, as it says that it returns:"
                                f" {error}") from None


def recording(task: str, function: Callable[..., Any], rules: Rules) -> Recording | None:
    """How a task's results are recorded; None where they are not. What a call with many jobs returns is about each of
    them, so its annotation says nothing of one job's result."""
    if rules.result is None:
        return None
    hints = typing.get_type_hints(function, include_extras=True) if rules.chunk is None else {}
    return Recording(task, hints.get("return", Any), rules.result, rules.retention)


def _without_signals(returns: Any) -> Any:
    """An annotation without the signals that a body may return as well, which are no results."""
    if get_origin(returns) not in (Union, UnionType):
        return type(None) if _is_signal(returns) else returns
    left = [each for each in get_args(returns) if not _is_signal(each)]
    return reduce(or_, left) if left else type(None)


def _strange(info: Any, seen: set[int]) -> Any:
    """A type within this one that is only known as somebody's own class; None if there is none."""
    if isinstance(info, msgspec.inspect.CustomType):
        return None if info.cls is object else info.cls
    if isinstance(info, tuple):
        return next((found for each in info if (found := _strange(each, seen)) is not None), None)
    if not isinstance(info, msgspec.inspect.Type | msgspec.inspect.Field) or id(info) in seen:
        return None
    seen.add(id(info))  # a type may have itself for a field
    return _strange(tuple(getattr(info, name) for name in info.__struct_fields__), seen)


def _is_signal(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Signal)
