"""Middleware: what an app has done around every enqueue and around every run.

A verb is a generator function with one `yield`: what stands before it is done first, what it surrounds happens there.
That works around code with and without `await`, so there is one protocol. Verbs go in as they were declared, and come
out in reverse, as `with` blocks do; what is raised inside is raised at their `yield`.
"""

import inspect
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextvars import copy_context
from typing import Any

import msgspec

from penstock.domain.errors import DeclarationError
from penstock.domain.jobs import After, Call, Job, Shape
from penstock.domain.names import did_you_mean
from penstock.domain.signals import Signal
from penstock.queue.attempt import current

Verb = Callable[[Any], Generator[None, Any, Any]]
ENQUEUE, RUN = "around_enqueue", "around_run"


class Middlewares:
    """What was declared, in order: the verbs of each kind."""

    def __init__(self) -> None:
        self.enqueue: tuple[Verb, ...] = ()
        self.run: tuple[Verb, ...] = ()

    def add(self, middleware: object) -> None:
        """Raises `DeclarationError` for what has neither verb, or one that is no generator function."""
        kind = type(middleware).__qualname__
        found = {name: verb for name in (ENQUEUE, RUN) if (verb := getattr(middleware, name, None)) is not None}
        faults = [f"middleware {kind}: {name}: expected a generator function, one that does what it does around a"
                  f" `yield`, got {_described(verb)}" for name, verb in found.items()
                  if not inspect.isgeneratorfunction(verb)]
        if not found:
            near = [name for name in dir(middleware) if did_you_mean(name, (ENQUEUE, RUN))]
            hint = f"; is its {near[0]!r} meant to be one of them?" if near else ""
            faults.append(f"middleware {kind}: expected {ENQUEUE}(calls) or {RUN}(attempt), got neither{hint}")
        if faults:
            raise DeclarationError(faults)
        if ENQUEUE in found:
            self.enqueue = (*self.enqueue, found[ENQUEUE])
        if RUN in found:
            self.run = (*self.run, found[RUN])


class Passage:
    """The way in through verbs to what they surround, whose result is put here, and out again.

    `stopped` says that a verb ended what it was to surround before it began: a run that need not be, by a signal.
    """

    def __init__(self, verbs: Sequence[Verb], subject: Any, *, decides: bool) -> None:
        """Verbs that decide may give a signal for a result, and keep an error from going on."""
        self.result: Any = None
        self.stopped = False
        self._verbs = verbs
        self._subject = subject
        self._decides = decides
        self._inside: list[Generator[None, Any, Any]] = []

    def __enter__(self) -> "Passage":
        try:
            for verb in self._verbs:
                steps = verb(self._subject)
                try:
                    next(steps)
                except StopIteration as end:
                    self._ends(end.value)
                    if not self.stopped:
                        raise RuntimeError(f"{_named(verb)}: expected it to `yield` once, around which it does what it"
                                           " does; it ended without") from None
                    break
                self._inside.append(steps)
        except BaseException as error:
            self.stopped = True
            if not self._out(error):
                raise
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return self._out(error)

    def _out(self, inside: BaseException | None) -> bool:
        """Go out through the verbs; whether an error has come to its end on the way."""
        error = inside
        while self._inside:
            steps = self._inside.pop()
            try:
                if error is None:
                    steps.send(self.result)
                else:
                    steps.throw(error)
            except StopIteration as end:
                if error is None or self._decides:
                    error, self.result = None, self.result if error is None else None
                    self._ends(end.value)
            except BaseException as raised:
                error = raised
            else:
                steps.close()
                error = RuntimeError(f"{_named(steps)}: expected it to `yield` once, got a second one")
        if error is not None and error is not inside:
            raise error
        return error is None

    def _ends(self, value: object) -> None:
        if self._decides and isinstance(value, Signal):
            self.result = value
            self.stopped = True


def surrounded(verbs: Sequence[Verb], body: Callable[..., Any], is_async: bool) -> Callable[..., Any]:
    """A task's body with what is done around it. On a thread it gets context variables of its own, so that what a verb
    sets ends with the attempt; on an event loop each attempt has them anyway."""
    if is_async:
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            with Passage(verbs, current.get(), decides=True) as way:
                if not way.stopped:
                    way.result = await body(*args, **kwargs)
            return way.result

        return run_async

    def run(*args: Any, **kwargs: Any) -> Any:
        with Passage(verbs, current.get(), decides=True) as way:
            if not way.stopped:
                way.result = body(*args, **kwargs)
        return way.result

    return lambda *args, **kwargs: copy_context().run(run, *args, **kwargs)


def passed(verbs: Sequence[Verb], calls: Iterable[Call], enqueue: Callable[[list[Call]], list[Job]]) -> list[Job]:
    """Enqueue calls as the verbs leave them."""
    given = list(calls)
    left = list(given)
    with Passage(verbs, left, decides=False) as way:
        way.result = enqueue(_changed(given, left))
    found: list[Job] = way.result
    return found


async def apassed(verbs: Sequence[Verb], calls: Iterable[Call],
                  enqueue: Callable[[list[Call]], Awaitable[list[Job]]]) -> list[Job]:
    """The same from `async` code."""
    given = list(calls)
    left = list(given)
    with Passage(verbs, left, decides=False) as way:
        way.result = await enqueue(_changed(given, left))
    found: list[Job] = way.result
    return found


def _changed(given: list[Call], left: list[Call]) -> list[Call]:
    """The calls that verbs have left, fit to be enqueued together: equal shapes are one again, and a job that waits for
    another call waits for what took its place."""
    if len(left) != len(given) or not all(isinstance(call, Call) for call in left):
        raise TypeError(f"{ENQUEUE}: expected as many calls as were given, {len(given)}, each a call, got {len(left)}"
                        " things: put another one in a call's place, and neither add nor remove any")
    moved = {id(old): new for old, new in zip(given, left, strict=True) if old is not new}
    if not moved:
        return left
    shapes: dict[bytes, Shape] = {}
    done: dict[int, Call] = {}

    def final(call: Call) -> Call:
        known = done.get(id(call))
        if known is None:
            known = moved.get(id(call), call)
            after = known.after
            if after is not None:
                known = msgspec.structs.replace(known, after=After(
                    tuple(final(each) if isinstance(each, Call) else each for each in after.on), after.anyway))
            shape = shapes.setdefault(msgspec.json.encode(known.shape), known.shape)
            done[id(call)] = known = msgspec.structs.replace(known, shape=shape)
        return known

    return [final(call) for call in given]


def _named(verb: object) -> str:
    return getattr(verb, "__qualname__", repr(verb))


def _described(verb: object) -> str:
    if inspect.isasyncgenfunction(verb) or inspect.iscoroutinefunction(verb):
        return "an `async` one: a plain one works around `async` tasks too"
    if hasattr(verb, "__wrapped__"):
        return "one that is wrapped: leave out what wraps it, such as @contextmanager"
    return "a plain function" if callable(verb) else f"a value of type {type(verb).__qualname__}"
