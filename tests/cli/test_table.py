"""Columns: numbers to the right, and a row is a line on a terminal of any width."""

import io
import sys

import pytest

from penstock.cli.table import table

HEADINGS = ("QUEUE", "WAITING", "ERROR")
ROWS = [("mail", "7", "MailboxUnknown: no such user here"), ("a-queue-with-a-long-name", "1,200", "-")]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch):
    stdout = io.StringIO()
    monkeypatch.setattr(stdout, "isatty", lambda: True)

    def of(columns: int) -> list[str]:
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setenv("COLUMNS", str(columns))
        return table(HEADINGS, ROWS).splitlines()

    return of


def test_numbers_stand_to_the_right():
    assert table(HEADINGS[:2], [row[:2] for row in ROWS]).splitlines() == [
        "QUEUE                     WAITING", "mail                            7", "a-queue-with-a-long-name    1,200"]


def test_what_goes_into_a_file_is_whole(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "20")
    assert "MailboxUnknown: no such user here" in table(HEADINGS, ROWS)


def test_a_terminal_that_is_wide_enough_shows_all_of_it(terminal):
    assert terminal(68) == table(HEADINGS, ROWS).splitlines()


def test_on_a_narrow_terminal_the_widest_texts_are_cut_off(terminal):
    lines = terminal(50)
    assert max(map(len, lines)) <= 50
    assert lines == ["QUEUE                WAITING  ERROR", "mail                       7  MailboxUnknown: no …",
                     "a-queue-with-a-lon…    1,200  -"]


def test_a_time_is_never_cut_off(terminal, monkeypatch: pytest.MonkeyPatch):
    terminal(40)
    lines = table(("CHANGED", "ERROR"), [("2027-01-31 08:00:00", "MailboxUnknown: no such user")]).splitlines()
    assert lines[1] == "2027-01-31 08:00:00  MailboxUnknown: no…"


def test_nothing_is_cut_off_in_vain(terminal):
    assert terminal(20) == table(HEADINGS, ROWS).splitlines()
    assert "MailboxUnknown: no such user here" in terminal(20)[1]
