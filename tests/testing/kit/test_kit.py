"""The kit passes connectors that hold, in whichever form they are written, and says of broken ones what is wrong."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from penstock.domain.errors import DeclarationError
from penstock.testing.connectors import CHECKS, ConnectorCase, ConnectorChecks, ConnectorFault, connector_checks
from tests.stores import on_postgres
from tests.testing.kit import cases
from tests.testing.kit.cases import (
    AddressBook,
    AsyncAddressBook,
    Disabling,
    FolderCase,
    KitsSource,
    OwnVerbs,
    broken,
    entries,
)


@pytest.mark.parametrize("check", connector_checks(AddressBook()), ids=str)
def test_a_connector_that_holds_passes(check: Any) -> None:
    check()


@pytest.mark.thorough
@pytest.mark.parametrize("case", [AsyncAddressBook, OwnVerbs, KitsSource, Disabling])
@pytest.mark.parametrize("name", ["changes", "any_page_size", "look_up", "answers_lost", "page_twice"])
def test_it_passes_in_whichever_form(case: type[ConnectorCase], name: str) -> None:
    CHECKS[name](case())


@on_postgres  # on a file, all other tests here run it
def test_it_passes_on_any_store(store_url: str) -> None:
    case = AddressBook()
    case.store_url = store_url
    case.batch_size = None  # a call of each verb, for there are few worlds to be had in a second
    for name in ("changes", "requests_lost"):
        CHECKS[name](case)


BROKEN = [
    ("drops records that it reads", broken(source=cases.LosingSource), "any_page_size", "lacking ['e2', 'e4', 'e6']"),
    ("drops records that it reads", broken(source=cases.LosingSource), "first_sync", "'name 4' is not there"),
    ("drops records that it is sent", broken(book=cases.LosingBook), "first_sync", "'name 3' is not there"),
    ("duplicates after a lost answer", broken(book=cases.BlindBook), "answers_lost", "'name 1' is there 2 times"),
    ("duplicates after a kill", broken(book=cases.BlindBook), "killed", "'name 1' is there 2 times"),
    ("duplicates by chance", broken(book=cases.BlindBook), "seeded_faults", "times"),
    ("its find finds nothing", broken(book=cases.BlindBook), "look_up", "find gives [] for 'name 1', expected ['r1']"),
    ("its find lies", broken(book=cases.LyingBook), "look_up", "find gives ['r1'] for 'name 2', expected ['r2']"),
    ("its find lies", broken(book=cases.LyingBook), "answers_lost", "answer lost after create of Entries"),
    ("writes in an unchanged run", broken(cases.RestlessSource, cases.TrimmingBook), "unchanged_run",
     "write nothing, got update of Entries with 'e1'"),
    ("renders something else each time", cases.RestlessCase(), "unchanged_run", "render gives something else"),
    ("writes beside its verbs", cases.WritingLookCase(), "unchanged_run", "something else in the connector writes"),
    ("tells no remote id", broken(book=cases.NamelessBook), "first_sync", "with 7 records failed"),
    ("claims to be whole", broken(source=cases.LyingSource), "page_cut_short", "'name 6' is not there"),
    ("miscounts", broken(source=cases.MiscountingSource), "any_page_size", "complete with 8 records, but gave 7"),
    ("does not update", broken(book=cases.LazyBook), "changes", "'name 7' is there as {"),
    ("does not delete", broken(book=cases.HoardingBook), "changes", "'name 3' is there, and the source has no such"),
]


_ALIKE = {index for index, each in enumerate(BROKEN) if any(before[0] == each[0] for before in BROKEN[:index])}
"""Those that another check of the same breach goes before."""


@pytest.mark.parametrize(("what", "case", "name", "said"), [
    pytest.param(*each, id=f"{each[0]}-{each[2]}", marks=pytest.mark.thorough if index in _ALIKE else ())
    for index, each in enumerate(BROKEN)])
def test_a_broken_connector_fails(what: str, case: ConnectorCase, name: str, said: str) -> None:
    with pytest.raises(ConnectorFault) as caught:
        CHECKS[name](case)
    assert said in str(caught.value)


@pytest.mark.thorough
def test_processes_are_killed_for_real(tmp_path: Path) -> None:
    CHECKS["killed_for_real"](FolderCase(tmp_path))
    with pytest.raises(ConnectorFault) as caught:
        CHECKS["killed_for_real"](FolderCase(tmp_path, blind=True))
    assert str(caught.value).startswith("a first sync: killed after create of Entries: expected each record once, got\n"
                                        "  Entries: 'name 1' is there 2 times\n")


def test_a_case_that_cannot_be_pickled_is_refused() -> None:
    case = AddressBook()
    case.outlives_processes, case.rendered = True, lambda entry: {}  # type: ignore[method-assign]
    with pytest.raises(DeclarationError, match="AddressBook: outlives_processes: expected a case that can be pickled"):
        CHECKS["killed_for_real"](case)


def test_a_failure_says_what_was_done_and_what_to_do() -> None:
    with pytest.raises(ConnectorFault) as caught:
        CHECKS["answers_lost"](broken(book=cases.BlindBook))
    assert str(caught.value).splitlines() == [
        "a first sync: answer lost after create of Entries (the 1. place where it can be): expected each record once,"
        " got",
        "  Entries: 'name 1' is there 2 times",
        "  Entries: 'name 2' is there 2 times",
        "  Entries: 'name 3' is there 2 times",
        "A create whose answer was lost was sent again: give the destination a find that finds what was created, or say"
        " that it is idempotent, or enforces_key",
        "The last calls were:",
        "  create of Entries with 'e1', 'e2', 'e3'",
        "  create of Entries with 'e1', 'e2', 'e3'",
        "  create of Entries with 'e4', 'e5', 'e6'",
        "  create of Entries with 'e7'",
    ]


def test_records_that_let_too_little_happen_are_refused() -> None:
    case = AddressBook()
    case.then = {"Entries": entries(1, 2, 3, 4, 5, 6, 7)}
    with pytest.raises(DeclarationError, match="it does not add, remove, change any"):
        CHECKS["changes"](case)
    case.then = {"Entry": []}
    with pytest.raises(DeclarationError, match="then: expected records of each layer.* got none of Entries"):
        CHECKS["changes"](case)


def test_a_case_that_tells_nothing_of_a_layer_is_refused() -> None:
    case = AddressBook()
    case.held = lambda: {"Entry": []}  # type: ignore[method-assign]
    with pytest.raises(ConnectorFault, match="held\\(\\) tells nothing of the layer Entries.*got Entry"):
        CHECKS["first_sync"](case)


def test_the_class_has_every_check() -> None:
    assert {name for name in dir(ConnectorChecks) if name.startswith("test_")} == {f"test_{name}" for name in CHECKS}


def test_it_does_not_need_pytest() -> None:
    code = "import sys, penstock.testing.connectors; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
