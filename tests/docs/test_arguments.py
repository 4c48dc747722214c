"""The pages on arguments and on middleware: their code runs as it stands, and does what the pages say."""

import re
from pathlib import Path
from typing import Any

import pytest

from penstock import Keyring
from penstock.testing import all_enqueued, drain

DOCS = Path(__file__).parents[2] / "docs"


def run(page: str, store_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of a page whose pieces of code were run one after the other."""
    monkeypatch.setenv("PENSTOCK_URL", store_url)
    monkeypatch.setenv("PENSTOCK_ENCRYPTION_KEYS", f"2026-11:{Keyring.new_key()}")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.DOTALL | re.MULTILINE))
    names: dict[str, Any] = {"__name__": page}
    exec(compile(code.replace("app = Penstock()\n", "app = Penstock()\napp.migrate()\n"), page, "exec"), names)
    return names


def test_arguments(store_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("cryptography")
    names = run("arguments.md", store_url, monkeypatch)
    with names["app"] as app:
        said = capsys.readouterr().out.splitlines()
        page = (DOCS / "arguments.md").read_text("utf-8")
        assert f"# {said[0]}\n" in page
        assert "s3cret" in said[1]
        job = names["pay"].enqueue("DE89", 5)
        assert app.job(job.id).arguments == '"(encrypted)"'
        drain(app)
        assert not all_enqueued(app)


def test_middleware(store_url: str, monkeypatch: pytest.MonkeyPatch):
    names = run("middleware.md", store_url, monkeypatch)
    with names["app"] as app:
        for tenant in ("trial", "closed"):
            with names["context"](tenant=tenant):
                names["remind"].enqueue(8)
        assert [(job.priority, job.tags, dict(job.context)) for job in all_enqueued(app)] == [
            (0, (), {"tenant": "acme", "locale": "de"}), (-10, ("trial",), {"tenant": "trial"}),
            (0, (), {"tenant": "closed"})]
        assert sorted((job.state, str(job.returned)) for job in drain(app).ran) == [
            ("cancelled", "None"), ("completed", "de: acme on 7"), ("completed", "en: trial on 8")]
        assert names["language"].get() == "en"
