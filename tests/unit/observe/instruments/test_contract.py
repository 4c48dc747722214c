"""Instruments are installed by one line, are removed by another, and say what is wrong with their names."""

import importlib

import pytest

import penstock
from penstock import PenstockError
from penstock.observe import instruments
from penstock.observe.instruments.patches import Patches


def test_a_name_that_is_not_known_is_told_with_the_nearest() -> None:
    with pytest.raises(penstock.PenstockError, match="got 'psycopg3'; did you mean 'psycopg'"):
        penstock.instrument("psycopg3")
    with pytest.raises(penstock.PenstockError, match="did you mean 'requests'"):
        penstock.uninstrument("request")


def test_a_library_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("penstock.observe.instruments.requests")
    monkeypatch.setattr(module, "LIBRARY", "requests_that_nobody_wrote")
    with pytest.raises(PenstockError, match="expected requests_that_nobody_wrote to be installed"):
        penstock.instrument("requests")
    assert instruments.installed() == ()


@pytest.mark.parametrize("name", instruments.NAMES)
def test_each_can_be_installed_twice_and_removed_once(name: str) -> None:
    penstock.instrument(name)
    penstock.instrument(name)
    assert instruments.installed() == (name,)
    penstock.uninstrument(name)
    assert instruments.installed() == ()
    penstock.uninstrument(name)


def test_all_are_removed_where_none_is_named() -> None:
    for name in ("sqlite3", "sleep"):
        penstock.instrument(name)
    penstock.uninstrument()
    assert instruments.installed() == ()


class Library:
    def own(self) -> str:
        return "own"


class Derived(Library):
    pass


def test_what_was_inherited_is_inherited_again() -> None:
    patches = Patches()
    patches.wrap(Derived, "own", lambda original: lambda self: original(self) + ", told")
    assert Derived().own() == "own, told"
    patches.restore()
    assert Derived().own() == "own"
    assert "own" not in vars(Derived)


def test_what_somebody_wrapped_since_is_not_cut_off() -> None:
    patches = Patches()
    patches.wrap(Library, "own", lambda original: lambda self: original(self) + ", told")
    ours, before = Library.own, vars(Library)["own"]
    theirs = lambda self: ours(self) + ", theirs"  # noqa: E731
    Library.own = theirs  # type: ignore[method-assign]
    patches.restore()
    assert Library.own is theirs
    patches.wrap(Library, "own", lambda original: lambda self: original(self) + ", told again")
    assert Library().own() == "own, told, theirs"
    patches.restore()
    Library.own = before.__wrapped__  # type: ignore[method-assign]
    assert Library().own() == "own"
