"""A SQLSource that is declared wrongly says so at once: what it expects, what it got, and what was meant."""

import subprocess
import sys

import pytest

from penstock.connectors import SQLSource
from penstock.domain.errors import ConfigurationError

QUERY = "select id from person"


def fault(url: str = "sqlite:///hr.db", query: str = QUERY, key: str = "id", **options: int) -> str:
    with pytest.raises(ConfigurationError) as caught:
        SQLSource(url, query, key=key, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite3:///hr.db", "but got the scheme 'sqlite3'. Did you mean \"sqlite\"?"),
        ("postgresql+psycopg://u:secret@h/d", "but got the scheme 'postgresql+psycopg'. Did you mean \"postgresql\"?"),
        ("mysql://u:secret@h/d", "but got the scheme 'mysql'."),
        ("host=h password=secret", "something without '://'"),
        ("hr.db", "something without '://'"),
        ("", "something without '://'"),
        ("sqlite://hr.db", "two slashes would name a host"),
        ("sqlite:///", "it names no file"),
        ("sqlite://", "two slashes"),
        ("sqlite:///:memory:", "seen only by the connection that made it"),
        ("sqlite:///hr.db?mode=rw", "takes no options"),
    ],
)
def test_urls_that_it_does_not_know(url: str, said: str):
    message = fault(url)
    assert said in message
    assert "sqlite:///relative/path" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select id from person where team = :subjct", ":account and :subject, but it uses :subjct."),
        ("select id from person where team = :subjct", 'Did you mean "subject"?'),
        ("select id from person where team = :after", "but it uses :after."),
        ("select id from person where team = :Subject", 'but it uses :Subject. Did you mean "subject"?'),
        ("select id from person; delete from person", "one statement, but got 2"),
        ("", "one statement, but got none"),
        (" ; -- nothing", "one statement, but got none"),
    ],
)
def test_queries_that_cannot_work(query: str, said: str):
    assert said in fault(query=query)


def test_what_only_looks_like_a_parameter_is_none():
    query = "select id::text, ':a' as \":b\" from person where $$:c$$ = e'\\':d' -- :e\n"
    SQLSource("sqlite:///hr.db", query, key="id")


def test_a_query_must_be_text():
    assert "as a string, but got int" in fault(query=7)  # type: ignore[arg-type]


def test_a_key_names_one_column():
    assert "key to name one column of the query, but got ''" in fault(key="")
    assert "but got ('a', 'b')" in fault(key=("a", "b"))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, -1, 1.5, "10"])
def test_a_page_holds_at_least_one_record(size: int):
    assert f"page_size to be a number of records from 1, but got {size!r}" in fault(page_size=size)


def test_every_fault_is_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        SQLSource("mysql://h/d", "select :a, :b; select 1", key="", page_size=0)
    assert len(caught.value.faults) == 6


def test_without_psycopg_it_names_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "pip install 'penstock[postgres]'" in fault("postgresql://h/d")
    SQLSource("sqlite:///hr.db", QUERY, key="id")


def test_psycopg_is_imported_only_to_read():
    script = (
        "import sys; from penstock.connectors import SQLSource; SQLSource('postgres://h/d', 'select 1 as a', key='a');"
        " sys.exit('psycopg' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_nothing_of_a_postgresql_url_is_shown():
    source = SQLSource("postgresql://user:secret@host/db", QUERY, key="id")
    assert repr(source) == "SQLSource('postgresql://…', key='id')"
    assert "secret" not in str(vars(source))
    assert repr(SQLSource("sqlite:////var/hr.db", QUERY, key="id")) == "SQLSource('sqlite:////var/hr.db', key='id')"
