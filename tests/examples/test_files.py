"""The example of files as its README has it: by its commands, in processes of its own, on both stores."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.processes import penstock as command

EXAMPLE = Path(__file__).parents[2] / "examples" / "files"
SETUP = re.findall(r"^```sh\n(.*?)^```", (EXAMPLE / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)[0]


@pytest.fixture
def export(tmp_path: Path) -> Path:
    subprocess.run(["sh", "-euc", SETUP], cwd=tmp_path, check=True)
    return tmp_path / "export"


def run(store_url: str, export: Path, *arguments: str) -> list[str]:
    """What a command printed."""
    environment = {"PENSTOCK_APP": "members:app", "PENSTOCK_URL": store_url, "EXPORT": str(export)}
    with command(*arguments, folder=EXAMPLE, **environment) as child:
        lines = child.rest()
        child.wait()
    return lines


def sync(store_url: str, export: Path) -> list[str]:
    """What the destinations printed, in order."""
    lines = run(store_url, export, "sync", "members")
    return [line for line in lines if line.startswith(("create ", "update ", "delete "))]


def test_it_does_what_its_readme_says(store_url: str, export: Path):
    run(store_url, export, "migrate")
    assert sync(store_url, export) == [
        'create 1 {"adult":true,"name":"Ada"}', 'create 2 {"adult":false,"name":"Bo"}',
        'create 3 {"adult":false,"name":"Cy"}', 'create ["1","chess"] {"topic":"chess"}',
        'create ["2","go"] {"topic":"go"}']
    assert sync(store_url, export) == []
    people = export / "people-north.csv"
    people.write_text(people.read_text().replace("3,Cy,\n", ""))
    assert "expected 3 rows, as its count says, got 2" in " ".join(run(store_url, export, "plan", "members"))
    (export / "people-north.count").write_text("2")
    assert sync(store_url, export) == ["delete 3"]
