"""`penstock sync --plan FILE`: the plan's way from its file to the runs that are bound to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from penstock.app import Penstock
from penstock.domain.errors import PlanRefused
from penstock.domain.options import RunOptions
from penstock.domain.records import Subject
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.restricting.plan_file import Loaded, load
from penstock.sync.restricting.planned import Plans, bound_to
from penstock.sync.state.runs import RunRow

LEFT = 3
"""The exit code that says that some changes of a plan were left, or others were found."""


def left(run: RunRow) -> bool:
    """Whether a run that is bound to a plan found anything else than the plan, or may not delete all that it names."""
    return run.error_class == "PlanMoved" or run.withheld > 0


@contextmanager
def planned(app: Penstock, definition: SyncDefinition, path: Path, keys: tuple[str, ...]
            ) -> Iterator[tuple[list[Subject], RunOptions]]:
    """Load a plan; give its subjects, or those of them that `keys` names, and the options of their runs.

    Raises `PlanRefused` before anything is requested. The plan leaves the store with the last of its runs.
    """
    plans = Plans(app.store)
    try:
        with path.open(encoding="utf-8") as file:
            plan = load(plans, definition, file, str(path))
    except OSError as error:
        raise PlanRefused(f"{path}: expected a plan's file, as `penstock plan {definition.name} --out {path}` writes"
                          f" it, got: {error.strerror}") from None
    try:
        subjects = _subjects(definition, plan, path, keys)
        for note in plan.notes:
            click.echo(f"note: {note}; each change is judged by what it would send now", err=True)
        yield subjects, bound_to(plan.plan_id)
    finally:
        plans.settled(plan.plan_id)


def _subjects(definition: SyncDefinition, plan: Loaded, path: Path, keys: tuple[str, ...]) -> list[Subject]:
    """The plan's subjects as `subjects()` gives them now."""
    again = f"nothing was requested. Plan again: `penstock plan {definition.name} --out {path}`"
    if strange := [key for key in keys if key not in plan.subjects]:
        raise PlanRefused(f"{path}: expected one of the subjects of this plan, {', '.join(plan.subjects)}, got"
                          f" {', '.join(strange)}; {again}")
    wanted = [key for key in plan.subjects if not keys or key in keys]
    known = {subject.key: subject for subject in definition.sync.subjects() if subject.key in plan.subjects}
    for key in wanted:
        if key not in known:
            raise PlanRefused(f"{path}: subjects() of {definition.name} gives no subject {key!r} any more; {again}")
        if known[key].account != plan.subjects[key]:
            raise PlanRefused(f"{path}: expected the subject {key} to be of the account {plan.subjects[key]}, as it was"
                              f" planned, got {known[key].account}; {again}")
    return [known[key] for key in wanted]
