"""The example of a slow report as its README has it: what it prints is what the page says, but for the times."""

import re
import subprocess
import sys
from pathlib import Path

from tests.examples.commands import Commands

EXAMPLE = Path(__file__).parents[2] / "examples" / "slow"
LISTED, WHY = re.findall(r"^```text\n(.*?)^```", (EXAMPLE / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
_TIME = re.compile(r"\d[\d.,]* (?:µs|ms|s)\b|\d+%")
_GROWTH = re.compile(r", from # at the beginning to # at the end")
_PLACE = re.compile(r"(?<=at )\S+(?=shop\.py)")


def said(text: str) -> list[str]:
    """What is said, apart from how long it took, and whether pages took ever longer."""
    return [_GROWTH.sub("", re.sub(r" +", " ", _TIME.sub("#", _PLACE.sub("", line)))).strip()
            for line in text.splitlines()]


def test_it_says_what_its_readme_says(store_url: str, tmp_path: Path) -> None:
    source = f"{EXAMPLE}:{EXAMPLE.parents[1] / 'src'}"
    environment = {"PENSTOCK_APP": "shop:app", "PENSTOCK_URL": store_url, "SHOP": str(tmp_path / "shop.db"),
                   "PYTHONPATH": source}
    for arguments in (["make"], []):
        ran = subprocess.run([sys.executable, EXAMPLE / "shop.py", *arguments], cwd=tmp_path, env=environment,
                             check=True, capture_output=True, text=True)
        assert ran.stderr == ""
    assert ran.stdout == "True\n"
    penstock = Commands(tmp_path, environment)
    headings, slow, mended = penstock("traces")
    names = [line.split()[1] for line in LISTED.splitlines()]
    assert [line.split()[1] for line in (headings, slow, mended)] == names
    assert "queried" in slow
    shown = said("\n".join(penstock("why", "nightly-report")))
    expected = said(WHY)
    assert [line for line in shown if not line.startswith("where")] == [
        line for line in expected if not line.startswith("where")]
    advice = "\n".join(penstock("advise", "nightly-report"))
    assert "on purchase (placed_at, id)" in advice
    assert "SELECT id, name FROM customer WHERE id IN" in advice
    assert "n+1" not in "\n".join(penstock("traces", "nightly-report-mended"))
