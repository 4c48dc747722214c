"""The pages about control in the job, and about results: their code runs, as it stands."""

import re
from pathlib import Path

import pytest

from penstock.domain import errors
from penstock.domain.errors import ResultError
from penstock.domain.results import WAIT_SECONDS, Result
from penstock.queue.attempt import CURSOR_LIMIT_BYTES
from penstock.testing import drain

DOCS = Path(__file__).parents[2] / "docs"


def executed(name: str, store_url: str) -> dict[str, object]:
    pieces = re.findall(r"^```python\n(.*?)^```", (DOCS / name).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {"__name__": "page"}
    code = "\n".join(pieces).replace("Penstock()", f"Penstock({store_url!r})")
    exec(compile(code, name, "exec", dont_inherit=True), names)
    return names


def test_control(store_url: str):
    names = executed("control.md", store_url)
    app = names["app"]
    assert drain(app).completed == 2  # type: ignore[arg-type]
    app.close()  # type: ignore[attr-defined]
    assert f"{CURSOR_LIMIT_BYTES // 1024} KiB" in (DOCS / "control.md").read_text("utf-8")


def test_results(store_url: str, capsys: pytest.CaptureFixture[str]):
    names = executed("results.md", store_url)
    names["app"].close()  # type: ignore[attr-defined]
    assert capsys.readouterr().out == "700\nQuote(pence=700, valid_days=30)\n"
    page = (DOCS / "results.md").read_text("utf-8")
    told = set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
    assert told == {name for name, kind in vars(errors).items()
                    if isinstance(kind, type) and issubclass(kind, ResultError) and kind is not ResultError}
    assert f"limit_bytes={Result().limit_bytes // 1024} * 1024" in page
    assert f"wait for {WAIT_SECONDS:g} seconds" in page
