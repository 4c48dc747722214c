"""`penstock config show`: what is in force, who says so, and nothing that is secret."""

from pathlib import Path

import pytest

from tests.cli.conftest import Written

APP = '''
from penstock import Penstock

app = Penstock(poll_seconds=0.5, alert_secret="hush", alert_webhook="https://u:pw@hooks.example/T0/B0/hush?t=hush")
'''


@pytest.fixture
def store_url() -> str:
    return "postgresql://app:hush@db.example:5432/shop?sslmode=require&sslpassword=hush"


def test_each_setting_says_where_it_came_from(written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    penstock = written("configured", APP)
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\npool_size = 7\npoll_seconds = 3\n")
    monkeypatch.setenv("PENSTOCK_ENCRYPTION_KEYS", "first:" + "A" * 43 + "=")
    code, out, err = penstock("config", "show")
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line.split(None, 2)[1:] for line in out.splitlines()}
    assert rows["app"] == ["configured", "--app"]
    assert rows["url"] == ["postgresql://app:***@db.example:5432/shop?sslmode=require&sslpassword=***",
                           "environment (PENSTOCK_URL)"]
    assert rows["pool_size"] == ["7", "pyproject.toml"]
    assert rows["poll_seconds"] == ["0.5", "argument"]
    assert rows["lease_seconds"] == ["30", "default"]
    assert rows["traces"] == ["true", "default"]
    assert rows["process_max_jobs"] == ["-", "default"]
    assert rows["alert_secret"] == ["***", "argument"]
    assert rows["alert_webhook"] == ["https://hooks.example/***", "argument"]
    assert rows["encryption_keys"] == ["***", "environment (PENSTOCK_ENCRYPTION_KEYS)"]
    assert "now" not in rows
    assert "hush" not in out


def test_as_json_it_hides_the_same(written: Written):
    code, out, _ = written("configured", APP)("config", "show", "--json")
    assert code == 0
    assert "hush" not in out
    assert '"app":"configured","app_origin":"arguments"' in out
    assert '{"name":"lease_seconds","value":30.0,"origin":"default"}' in out


def test_settings_that_are_wrong_are_all_named(written: Written, monkeypatch: pytest.MonkeyPatch):
    penstock = written("configured", APP)
    monkeypatch.setenv("PENSTOCK_POOL_SIZE", "many")
    monkeypatch.setenv("PENSTOCK_LEASE_SECONDS", "0")
    code, out, err = penstock("config", "show")
    assert (code, out) == (2, "")
    assert err.splitlines() == ["error: environment: pool_size: expected a whole number, got 'many'",
                                "error: lease_seconds: expected more than 0 and less than 1000000000, got 0.0"]
