"""Settings: file < environment < arguments, and every fault at once."""

from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock
from penstock.config import Settings, load
from penstock.domain.errors import ConfigurationError


def write(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.penstock]\n{text}\n")


def test_defaults(tmp_path: Path):
    assert load({}, environment={}, folder=tmp_path) == Settings()


def test_the_nearer_wins(tmp_path: Path):
    write(tmp_path, 'url = "sqlite:///file.db"\nlease_seconds = 1\npoll_seconds = 2\napp = "module:app"')
    environment = {"PENSTOCK_LEASE_SECONDS": "10", "PENSTOCK_POLL_SECONDS": "20", "PENSTOCK_APP": "x:y"}
    settings = load({"poll_seconds": 200, "url": None}, environment=environment, folder=tmp_path)
    assert (settings.url, settings.lease_seconds, settings.poll_seconds) == ("sqlite:///file.db", 10.0, 200.0)


def test_what_the_environment_has_for_others_is_no_fault(tmp_path: Path):
    load({}, environment={"PENSTOCK_TEST_POSTGRES": "x", "PENSTOCK_NOW": "5", "PATH": "y"}, folder=tmp_path)


def test_every_fault_at_once(tmp_path: Path):
    write(tmp_path, 'lease_second = 5\nnow = "5"')
    with pytest.raises(ConfigurationError) as caught:
        load({"poll_seconds": "soon", "grace_seconds": 0, "colour": 1, "pool_size": 2.5},
             environment={"PENSTOCK_BUSY_TIMEOUT_SECONDS": "-1"}, folder=tmp_path)
    faults = caught.value.faults
    assert len(faults) == 7
    assert "pyproject.toml: unknown setting 'lease_second'; did you mean 'lease_seconds'?" in faults
    assert "arguments: poll_seconds: expected a number, got 'soon'" in faults
    assert "arguments: pool_size: expected a whole number, got 2.5" in faults


@pytest.mark.parametrize("value", [0, -1, "nan", "inf", True, "", [], float("inf")])
def test_a_number_that_cannot_be(tmp_path: Path, value: Any):
    with pytest.raises(ConfigurationError, match="lease_seconds"):
        load({"lease_seconds": value}, environment={}, folder=tmp_path)


@pytest.mark.parametrize("text", ["[tool.penstock", "[tool]\npenstock = 5"])
def test_a_file_that_cannot_be_read(tmp_path: Path, text: str):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"pyproject.toml"):
        load({}, environment={}, folder=tmp_path)


def test_a_file_in_another_encoding(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_bytes(b"# \xff\xfe")
    with pytest.raises(ConfigurationError, match=r"pyproject.toml"):
        load({}, environment={}, folder=tmp_path)


@pytest.mark.parametrize(("url", "hint"), [
    ("sqlight:///x.db", "did you mean sqlite://"), ("postgresq://x", "did you mean postgresql://"),
    ("mysql://x", "got scheme 'mysql'"), ("x.db", "got scheme ''"),
])
def test_a_store_of_another_kind(url: str, hint: str):
    with pytest.raises(ConfigurationError, match=hint):
        Penstock(url)


def test_making_an_app_opens_nothing(tmp_path: Path):
    Penstock(f"sqlite:///{tmp_path}/missing/x.db").close()
    assert list(tmp_path.iterdir()) == []


def test_keys_do_not_belong_in_a_file(tmp_path: Path):
    write(tmp_path, 'encryption_keys = "new:s3cret"')
    with pytest.raises(ConfigurationError, match="in the environment, as PENSTOCK_ENCRYPTION_KEYS") as refused:
        load({}, environment={}, folder=tmp_path)
    assert "s3cret" not in str(refused.value)
    found = load({}, environment={"PENSTOCK_ENCRYPTION_KEYS": "new:s3cret"})
    assert found.encryption_keys == "new:s3cret"
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(("url", "replica_url", "says"), [
    ("sqlite:///shop.db", "postgresql://standby/shop", "replica_url: expected none, since the store is a SQLite file"),
    ("postgresql://primary/shop", "sqlite:///shop.db", "replica_url: expected postgresql://…, a hot standby")])
def test_a_replica_is_a_standby_of_a_server(url: str, replica_url: str, says: str):
    with pytest.raises(ConfigurationError, match=says):
        Penstock(url, replica_url=replica_url)
    Penstock("postgresql://primary/shop", replica_url="postgres://standby/shop").close()
