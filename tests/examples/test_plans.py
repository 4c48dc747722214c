"""The example of plans as its README has it: by its commands, on both stores."""

import json
import re
import subprocess
from pathlib import Path

from tests.examples.commands import Commands

EXAMPLE = Path(__file__).parents[2] / "examples" / "plans"
PAGE = (EXAMPLE / "README.md").read_text("utf-8")
LIST, NEW, SALE, AGAIN = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
PLANNED, APPLIED = (text.splitlines() for text in re.findall(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


def test_it_does_what_its_readme_says(store_url: str, tmp_path: Path):
    command = Commands(tmp_path, {
        "PENSTOCK_APP": "prices:app", "PENSTOCK_URL": store_url, "PRICES": str(tmp_path),
        "PYTHONPATH": f"{EXAMPLE}:{EXAMPLE.parents[1] / 'src'}"})

    def shell(script: str) -> None:
        subprocess.run(["sh", "-euc", script], cwd=tmp_path, check=True)

    def says(text: str, code: int = 0) -> list[str]:
        assert f"penstock {text}" in PAGE or text == "migrate", text
        return command(*text.split(), code=code)

    says("migrate")
    shell(LIST)
    assert says("sync prices") == ["winter: succeeded, 3 read, 3 created"]
    shell(NEW)
    shell(SALE)
    lines = says("plan prices --read-back 5 --show-values --out plan.json")
    assert lines[:-1] == PLANNED
    assert lines[-1].startswith("4 changes in at least 3 calls")
    shell(AGAIN)
    assert says("sync prices --plan plan.json", code=3)[-1:] == APPLIED  # before it, the log has said the same
    shop = {path.stem: json.loads(path.read_text())["cents"] for path in (tmp_path / "shop").iterdir()}
    assert shop == {"cap": 900, "mug": 800, "hat": 2000}
    assert "1 to create, 1 to update, 0 to delete, 2 unchanged" in says("plan prices")[1]
