"""The walks of both case studies, whose processes are killed and whose calls fail while their sources are edited.

`make test-crash` has them survive 200 seeds each on either store. A seed that goes wrong prints what befell it;
`PENSTOCK_CRASH_SEEDS=17-17` runs that one alone.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock
from penstock.testing.place import clear
from tests.clock import Clock
from tests.crash.syncs.ads import AdsSide
from tests.crash.syncs.directory import DirectorySide
from tests.crash.syncs.nursery import Order
from tests.crash.syncs.survival import Survival, Tally, ask
from tests.examples.ads import catalogue
from tests.processes import Child, python
from tests.servers.ads import ads_server
from tests.servers.scim import scim_server
from tests.stores import on_postgres, on_sqlite

ROOT = Path(__file__).parents[2]
FIRST, _, LAST = os.environ.get("PENSTOCK_CRASH_SEEDS", "1-1").rpartition("-")
SEEDS = range(int(FIRST or 1), int(LAST) + 1)
NURSERY = "import sys; from tests.crash.syncs.nursery import serve; serve(sys.argv[1], tuple(sys.argv[2:]))"
_LONG_ENOUGH_FOR_THE_DEAD = 7 * 86_400.0


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory: no process of these outlives the machine, and a disk's answers would take most of the time."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="penstock-crash-", dir=place) as folder:
        yield Path(folder)


@contextmanager
def nursery(program: Path, *client: str, folder: Path, url: str, clock: Clock, **environment: str) -> Iterator[Child]:
    with python(NURSERY, str(program), *client, folder=folder, PENSTOCK_URL=url, **environment) as child:
        assert ask(child, Order(url, clock.expression, "", [])).error is None
        yield child


@contextmanager
def told(sync: str, url: str, capsys: pytest.CaptureFixture[str]) -> Iterator[Tally]:
    """A tally whose figures are printed in the end, also where somebody breaks it off; nothing of it may be wrong."""
    tally = Tally()
    try:
        yield tally
    finally:
        say(sync, url, tally, capsys)
    assert not tally.wrong, "\n\n".join(tally.wrong)


def say(sync: str, url: str, tally: Tally, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        figures: dict[str, Any] = {
            "sync": sync, "store": url.partition(":")[0], "seeds": tally.seeds, "processes": tally.processes,
            "kills": dict(sorted(tally.kills.items())), "faults": dict(sorted(tally.faults.items())),
            "wrong": len(tally.wrong)}
        print(f"\n{json.dumps(figures)}")


def emptied(store: Penstock, clock: Clock) -> None:
    clock.advance(_LONG_ENOUGH_FOR_THE_DEAD)
    clear(store)


@on_sqlite
def test_the_ads_sync_survives(store_url: str, clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                               monkeypatch: pytest.MonkeyPatch):
    application = tmp_path / "application"
    application.mkdir()
    for path in (ROOT / "examples/ads/ads.py", *(ROOT / "tests/examples/ads").glob("*a*.py")):
        shutil.copy(path, application)
    path = tmp_path / "catalogue.db"
    monkeypatch.setenv("CATALOGUE", str(path))
    with (told("ads", store_url, capsys) as tally, ads_server(still=True) as server,
          Penstock(store_url, now=clock.expression) as store,
          nursery(application / "ads.py", "AdsClient", "_post", folder=tmp_path, url=store_url, clock=clock) as births):
        for seed in SEEDS:
            emptied(store, clock)
            side = AdsSide(seed, catalogue, path, server)
            Survival(side, f"ads {seed}", url=store_url, clock=clock, nursery=births, tally=tally).run()


@on_postgres
def test_the_directory_sync_survives(store_url: str, clock: Clock, tmp_path: Path,
                                     capsys: pytest.CaptureFixture[str]):
    hr = tmp_path / "hr.db"
    with (told("directory", store_url, capsys) as tally, scim_server() as server,
          Penstock(store_url, now=clock.expression) as store,
          nursery(ROOT / "examples/directory/directory.py", "scim.Client", "request", folder=tmp_path, url=store_url,
                  clock=clock, HR_DATABASE=f"sqlite:///{hr}") as births):
        for seed in SEEDS:
            emptied(store, clock)
            with ExitStack() as stack:
                side = DirectorySide(seed, hr, server, f"crash-{seed}", stack)
                Survival(side, f"directory {seed}", url=store_url, clock=clock, nursery=births, tally=tally).run()
