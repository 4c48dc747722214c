"""The example of files as its README has it: by its commands, on both stores."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.examples.commands import Commands

EXAMPLE = Path(__file__).parents[2] / "examples" / "files"
SETUP = re.findall(r"^```sh\n(.*?)^```", (EXAMPLE / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)[0]


@pytest.fixture
def export(tmp_path: Path) -> Path:
    subprocess.run(["sh", "-euc", SETUP], cwd=tmp_path, check=True)
    return tmp_path / "export"


def test_it_does_what_its_readme_says(store_url: str, export: Path):
    run = Commands(EXAMPLE, {"PENSTOCK_APP": "members:app", "PENSTOCK_URL": store_url, "EXPORT": str(export)})

    def sync() -> list[str]:
        """What the destinations printed, in order."""
        lines = run("sync", "members", code=None)
        return [line for line in lines if line.startswith(("create ", "update ", "delete "))]

    run("migrate")
    assert sync() == [
        'create 1 {"adult":true,"name":"Ada"}', 'create 2 {"adult":false,"name":"Bo"}',
        'create 3 {"adult":false,"name":"Cy"}', 'create ["1","chess"] {"topic":"chess"}',
        'create ["2","go"] {"topic":"go"}']
    assert sync() == []
    people = export / "people-north.csv"
    people.write_text(people.read_text().replace("3,Cy,\n", ""))
    assert "expected 3 rows, as its count says, got 2" in " ".join(run("plan", "members", code=None))
    (export / "people-north.count").write_text("2")
    assert sync() == ["delete 3"]
