"""Which module and name a child finds a task's function by. Both are from its declaration, never from a job."""

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.domain.errors import NoWorkerProcess
from penstock.domain.jobs import message
from penstock.queue.task import Task


def module_of(function: Callable[..., Any]) -> str | None:
    """The module that a child imports for a function; None where there is none, as in a script that is on no path."""
    if function.__module__ != "__main__":
        return function.__module__
    main = sys.modules["__main__"]
    if main.__spec__ is not None:
        return main.__spec__.name  # it was begun by `python -m`
    file = Path(getattr(main, "__file__", None) or "")
    if file.suffix == ".py" and file.stem.isidentifier() and str(file.resolve().parent) in map(_whole, sys.path):
        return file.stem
    return None


def _whole(folder: str) -> str:
    return str(Path(folder).resolve())


def found_in(module: object, qualname: str) -> Any:
    """The task or the function of that name, or None."""
    found: Any = module
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return inspect.unwrap(found, stop=lambda each: isinstance(each, Task)) if callable(found) else None


def task_fault(task: Task[Any, Any]) -> str | None:
    """Why a child would not find this task's function, if so."""
    function: Any = task.function
    module = module_of(function)
    if module is None:
        return (f"task {task.name}: its child processes cannot import what is declared in the script"
                f" {getattr(sys.modules['__main__'], '__file__', '(none)')}: move it to a module beside it")
    found = found_in(sys.modules.get(function.__module__), function.__qualname__)
    if found is task or found is function or getattr(found, "function", None) is function:
        return None
    return (f"task {task.name}: its child processes look for it as {module}.{function.__qualname__}, and there is"
            f" {'nothing' if found is None else repr(found)}: declare it at the top of its module, under a name of its"
            " own")


_importing: list[str] = []


def being_imported() -> str | None:
    """The module that this process, as a child, is just importing."""
    return _importing[-1] if _importing else None


def imported(module: str) -> ModuleType:
    """A module of the application, for a child. Raises `NoWorkerProcess`."""
    _importing.append(module)
    try:
        return importlib.import_module(module)
    except BaseException as error:  # a module may raise anything, SystemExit as well
        raise NoWorkerProcess(
            f"a child process cannot import {module}: {type(error).__name__}: {message(error)}") from error
    finally:
        _importing.pop()
