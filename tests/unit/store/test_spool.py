"""The spool: in the order of laying, one entry a key, nothing on disk before the first entry or after closing."""

import tempfile
from pathlib import Path

import pytest

from penstock.store.spool import Spool


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_an_empty_spool_touches_no_disk(folder: Path) -> None:
    spool = Spool()
    assert spool.counts() == {}
    assert spool.kind("a") is None
    assert list(spool.take("create")) == []
    spool.close()
    assert list(folder.iterdir()) == []


def test_entries_come_back_in_order_a_page_at_a_time(folder: Path) -> None:
    spool = Spool()
    spool.lay([(f"k{number}", "create" if number % 2 else "update", b"x%d" % number) for number in range(10)])
    assert [[key for key, _ in page] for page in spool.take("create", 2)] == [["k1", "k3"], ["k5", "k7"], ["k9"]]
    assert next(spool.take("update", 1)) == [("k0", b"x0")]
    assert spool.counts() == {"create": 5, "update": 5}
    spool.close()
    assert list(folder.iterdir()) == []


def test_a_key_that_is_laid_twice_is_a_duplicate_and_nothing_else(folder: Path) -> None:
    spool = Spool()
    spool.lay([("a", "create", b"1"), ("b", "create", b"2")])
    spool.lay([("a", "update", b"3")])
    assert spool.counts() == {"create": 1, "duplicate": 1}
    assert spool.kind("a") == "duplicate"
    assert list(spool.take("update")) == []
    spool.close()


def test_closing_twice_does_nothing_more(folder: Path) -> None:
    spool = Spool()
    spool.lay([("a", "create", b"1")])
    spool.close()
    spool.close()
