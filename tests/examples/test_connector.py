"""The example of a connector under the kit is run as its readers run it; and the kit finds what is broken in it."""

import shutil
from pathlib import Path

import pytest

from penstock.testing.connectors import CHECKS

_QUICK = ("first_sync", "unchanged_run", "answers_lost")
pytest_plugins = ["pytester"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "connector"


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    return pytester.runpytest_subprocess("-p", "no:penstock", "-p", "no:cacheprovider", "-W", "error", *arguments)


def test_its_tests_pass(pytester: pytest.Pytester):
    run(pytester, "-k", " or ".join(_QUICK)).assert_outcomes(passed=len(_QUICK))


@pytest.mark.thorough
def test_all_its_tests_pass(pytester: pytest.Pytester):
    run(pytester).assert_outcomes(passed=len(CHECKS))


@pytest.mark.thorough  # tests/testing/kit has what fails
def test_without_its_look_up_they_fail(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    pytester.makeconftest("""
        import contacts
        contacts.Contacts.find = lambda self, emails, run: {}
    """)
    result = run(pytester, "-k", "first_sync or look_up or answers_lost")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*Friends: 'p1@example.com' is there 2 times*"])


@pytest.mark.thorough
def test_where_its_total_is_torn_as_well_they_fail(pytester: pytest.Pytester):
    pytester.makeconftest("""
        import address_book

        class Untold(address_book.AddressBook):
            def answer(self, method, path, query, body):
                status, answer = super().answer(method, path, query, body)
                if "people" in answer and self.torn:
                    answer["total"] -= 2
                return status, answer

        address_book.AddressBook = Untold
    """)
    result = run(pytester, "-k", "page_cut_short")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*what the source still has was deleted:*"])
