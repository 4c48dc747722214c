"""The example of an incremental source as its README has it, stopped in the middle on its way, on both stores."""

import re
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.clock import Clock
from tests.engine import Engine
from tests.examples.commands import Commands
from tests.examples.imported import imported
from tests.processes import penstock as command
from tests.waiting import until

EXAMPLE = Path(__file__).parents[2] / "examples" / "incremental"
PAGE = (EXAMPLE / "README.md").read_text("utf-8")
TABLE, CHANGE = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
WHOLE, PART = (text.splitlines() for text in re.findall(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(EXAMPLE / "stock.sql", tmp_path)
    shell(tmp_path, TABLE)
    return tmp_path


def shell(folder: Path, script: str) -> None:
    subprocess.run(["sh", "-euc", script], cwd=folder, check=True)


def sent(folder: Path) -> list[str]:
    log = folder / "shop.log"
    return [" ".join(line.split()[:2]) for line in log.read_text().splitlines()] if log.exists() else []


def test_it_does_what_its_readme_says(store_url: str, folder: Path):
    environment = {"PENSTOCK_APP": "stock:app", "PENSTOCK_URL": store_url, "STOCK": str(folder),
                   "PYTHONPATH": f"{EXAMPLE}:{EXAMPLE.parents[1] / 'src'}"}

    says = Commands(folder, environment)
    says("migrate")
    with command("sync", "stock", folder=folder, **environment, LATENCY="0.2") as child:
        until("three calls", lambda: len(sent(folder)) >= 60)
        child.process.send_signal(signal.SIGINT)
        child.wait()
    assert len(sent(folder)) < 300
    assert says("sync", "stock")[-1:] == WHOLE
    assert sorted(sent(folder)) == [f"create sku-{number:03}" for number in range(1, 301)]
    shell(folder, CHANGE)
    assert says("sync", "stock") == PART
    assert sent(folder)[300:] == ["update sku-007", "update sku-200"]


def test_what_left_shows_in_the_next_whole_read(
        store_url: str, clock: Clock, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PENSTOCK_URL", store_url)
    monkeypatch.setenv("STOCK", str(folder))
    with imported(EXAMPLE / "stock.py", monkeypatch) as stock:
        engine = Engine(stock.app, clock)
        engine.sync("stock", "berlin")
        with closing(sqlite3.connect(folder / "stock.db")) as table, table:
            table.execute("delete from stock where sku = 'sku-100'")
        [run] = engine.sync("stock", "berlin")
        assert (run.read, run.deleted) == (0, 0)
        monkeypatch.setattr(stock.Goods, "full_every", timedelta(0))  # as if it were over
        [run] = engine.sync("stock", "berlin")
        assert (run.read, run.deleted) == (299, 1)
