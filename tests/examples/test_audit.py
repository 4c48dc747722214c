"""The example of audits as its README has it: by its commands, on both stores."""

import json
import re
import subprocess
from pathlib import Path

from tests.examples.commands import Commands

EXAMPLE = Path(__file__).parents[2] / "examples" / "audit"
PAGE = (EXAMPLE / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(sh|text)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_it_does_what_its_readme_says(store_url: str, tmp_path: Path):
    command = Commands(EXAMPLE, {"PENSTOCK_APP": "shop:app", "PENSTOCK_URL": store_url, "SHOP": str(tmp_path)})

    def says(text: str) -> tuple[int | None, list[str]]:
        lines = command(*text.split(), code=None)
        return command.code, lines

    says("migrate")
    codes = []
    for kind, text in BLOCKS:
        if kind == "sh":
            subprocess.run(["sh", "-euc", text], cwd=tmp_path, check=True)
            continue
        for said in re.split(r"^\$ penstock ", text, flags=re.MULTILINE)[1:]:
            typed, *lines = said.splitlines()
            code, told = says(typed)
            assert told == lines, typed
            codes.append(code)
    assert codes == [0, 0, 2, 0, 0]
    shop = json.loads((tmp_path / "shop.json").read_text())
    assert {id: (each["title"], each["price"]) for id, each in shop.items()} == {
        "s1": ("Apple", 3), "s2": ("Gift card", 50), "s3": ("Pear", 4), "s9": ("Plum", 5)}
    code, told = says("audit shop --json --calls 5")
    [all_of_it] = json.loads(told[-1])["subjects"]["all"]
    assert (code, all_of_it["layer"], all_of_it["begun_at"]) == (0, "Articles", None)
    assert all_of_it["findings"]["counts"] == {"in_step": 2, "rewritten": 1, "unmanaged": 1}
    assert all_of_it["findings"]["fields"] == {"rewritten": {"title": 1}}
    assert says("audit shop --force")[0] == 2
