"""`penstock doctor`: what it prints, and how it ends."""

import json
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from penstock.cli import main

APP = '''
from penstock import Penstock
from psycopg_pool import ConnectionPool

app = Penstock({url!r})
shop = ConnectionPool("dbname=shop", min_size=1, max_size=15, open=False, name="shop")


@app.task
def send() -> None: ...
'''


class Doctor:
    """Runs the command on an app in a folder of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, url: str, *arguments: str) -> tuple[int, str, str]:
        """The exit code of `penstock doctor …`, and what it printed."""
        (self._folder / "theapp.py").write_text(APP.format(url=url))
        sys.modules.pop("theapp", None)
        self._monkeypatch.setattr(sys, "argv", ["penstock", "--app", "theapp", "doctor", *arguments])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err

    def findings(self, url: str, *arguments: str) -> tuple[int, dict[str, Any]]:
        code, out, _ = self.run(url, "--json", *arguments)
        found = json.loads(out)
        levels = ["ok", "warning", "fault"]
        assert found["level"] == max((each["level"] for each in found["findings"]), key=levels.index)
        return code, {each["about"]: each for each in found["findings"]}


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("PENSTOCK_APP", "PENSTOCK_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "django.conf", raising=False)  # other tests of this process may have set it up
    yield Doctor(tmp_path, monkeypatch, capsys)
    sys.modules.pop("theapp", None)


def test_every_finding_has_a_line_and_what_to_do_one_more(doctor: Doctor, store_url: str) -> None:
    code, out, _ = doctor.run(store_url)
    found = doctor.findings(store_url)[1]
    assert code == (1 if any(each["level"] == "fault" for each in found.values()) else 0)
    lines = [line for line in out.splitlines() if not line.lstrip().startswith("->")]
    for about in ("versions", "store", "durability", "schema", "own indexes", "connection", "clock", "app pools"):
        assert [line.split()[0] for line in lines if f"  {about} " in line] == [found[about]["level"]]
    assert sum(bool(each["remedy"]) for each in found.values()) == out.count("\n") - len(lines)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_warning_ends_with_zero(doctor: Doctor, store_url: str) -> None:
    code, found = doctor.findings(store_url, "--queue", "default=400", "--queue", "mail=2")
    assert code == 0
    assert found["app pools"]["level"] == "warning"
    assert found["app pools"]["found"].startswith("402 slots, but the psycopg pool 'shop' has at most 15 connections")
    assert found["app pools"]["remedy"].startswith("raise max_size to 402")


def test_without_queues_it_counts_those_that_the_app_has(doctor: Doctor, store_url: str) -> None:
    found = doctor.findings(store_url)[1]
    assert found["app pools"]["level"] == "ok"
    assert found["app pools"]["found"] == "10 slots, the psycopg pool 'shop' of at most 15 connections"


def test_a_database_without_tables_is_a_fault_with_the_command(doctor: Doctor, postgres_url: str) -> None:
    code, out, _ = doctor.run(postgres_url)
    assert code == 1
    assert "\nfault    schema " in out
    assert "-> run `penstock migrate`" in out


def test_a_store_that_cannot_be_reached_is_a_fault_among_the_others(doctor: Doctor, tmp_path: Path) -> None:
    code, found = doctor.findings(f"sqlite:///{tmp_path}/nowhere/store.db")
    assert code == 1
    assert found["store"]["level"] == "fault"
    assert "create it, or change the URL" in found["store"]["found"]
    assert found["versions"]["level"] == found["app pools"]["level"] == "ok"
    code, found = doctor.findings("postgresql://nobody@127.0.0.1:1/nowhere")
    assert code == 1
    assert "expected a PostgreSQL server that answers" in found["store"]["found"]


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_a_setting_of_the_database_is_seen(doctor: Doctor, store_url: str) -> None:
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute(sql.SQL("alter database {} set synchronous_commit = off").format(
            sql.Identifier(connection.info.dbname)))
    found = doctor.findings(store_url)[1]
    assert found["durability"]["level"] != "ok"
    assert "synchronous_commit = off" in found["durability"]["found"]


def test_queues_that_cannot_be_are_refused(doctor: Doctor, store_url: str) -> None:
    code, out, err = doctor.run(store_url, "--queue", "Mail!=2")
    assert (code, out) == (2, "")
    assert "expected a queue name of 1 to 64" in err
