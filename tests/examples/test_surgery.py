"""The example of state surgery as its README has it: by its commands, on both stores."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.examples.commands import Commands

EXAMPLE = Path(__file__).parents[2] / "examples" / "surgery"
PAGE = (EXAMPLE / "README.md").read_text("utf-8")
SETUP, EDIT = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
TOLD = re.findall(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[0].splitlines()
Says = Callable[..., list[str]]


def shell(script: str, folder: Path) -> None:
    subprocess.run(["sh", "-euc", script], cwd=folder, check=True)


@pytest.fixture
def says(store_url: str, tmp_path: Path) -> Says:
    """Runs a command in the example's folder and gives the lines that it printed."""
    shell(SETUP, tmp_path)
    command = Commands(EXAMPLE, {"PENSTOCK_APP": "contacts:app", "PENSTOCK_URL": store_url, "CONTACTS": str(tmp_path)})

    def run(text: str, code: int = 0) -> list[str]:
        assert f"penstock {text}" in PAGE or text in ("migrate", "state show contacts --json"), text
        return command(*text.split(), *(["--yes"] if "forget" in text else []), code=code)

    return run


def crm(folder: Path) -> dict[str, str]:
    """The names in the CRM, by contact."""
    return {path.stem: json.loads(path.read_text())["name"] for path in (folder / "crm").iterdir()}


def rekeyed(folder: Path, old: str, new: str) -> None:
    path = folder / "people.json"
    path.write_text(path.read_text().replace(f'"id": "{old}"', f'"id": "{new}"'))


def test_it_does_what_its_readme_says(says: Says, tmp_path: Path):
    says("migrate")
    assert says("sync contacts") == ["all: succeeded, 3 read, 3 created"]
    assert says("sync contacts") == ["all: succeeded, 3 read, nothing to change"]

    shell(EDIT, tmp_path)
    told = says("why contacts all People 2 --remote")
    assert [line for line in told if not line.startswith(("  state:", "  last change:"))] == TOLD
    assert says("sync contacts --only People:2 --full") == ["all: succeeded, 3 read, 1 updated"]
    assert crm(tmp_path) == {"c1": "Ada", "c2": "Bo", "c3": "Cy"}

    rekeyed(tmp_path, "2", "B2")
    assert says("state move contacts People 2 --to-key B2") == ["People 2 of all is B2 of all now; remote id c2"]
    assert says("sync contacts") == ["all: succeeded, 3 read, nothing to change"]

    says("state forget contacts People 3")
    assert says("sync contacts") == ["all: succeeded, 3 read, 1 updated"]
    says("state forget contacts People 3")
    (tmp_path / "crm" / "c7.json").write_text('{"name": "Cyril", "phone": "300"}')
    assert "1 failed" in says("sync contacts", code=1)[0]
    assert says("state adopt contacts People 3 c7") == ["People 3 of all is c7; the next run updates it"]
    assert says("sync contacts") == ["all: succeeded, 3 read, 1 updated"]
    assert crm(tmp_path)["c7"] == "Cy"
    rows = json.loads(says("state show contacts --json")[0])["rows"]
    assert [(row["key"], row["remote_id"], row["status"]) for row in rows] == [
        ("1", "c1", "synced"), ("3", "c7", "synced"), ("B2", "c2", "synced")]
