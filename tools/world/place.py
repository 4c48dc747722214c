"""The world in a folder, with what runs while one looks at it: the directory's server, and a worker that is busy."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from penstock.cli.demo import source
from penstock.cli.demo.server import scim_server

ROOT = Path(__file__).parent.parent.parent
APP = "tools.world.shop:app"


@dataclass(frozen=True)
class World:
    """Where it is, and the environment in which `APP` finds it."""

    folder: Path
    environment: Mapping[str, str]

    def penstock(self, *arguments: str) -> list[str]:
        """The command that runs `penstock` on the world's app, from `ROOT`."""
        return [sys.executable, "-m", "penstock.cli", "--app", APP, *arguments]

    def penstock_on(self, host: str, *arguments: str) -> list[str]:
        """The same, as on a machine of that name."""
        return [sys.executable, "-m", "tools.world.on_host", host, "--app", APP, *arguments]


@contextmanager
def world(folder: Path, *, people: int = 240, groups: int = 12, orders: int = 30_000,
          hours: int = 24, size: float = 1.0) -> Iterator[World]:
    """Make it; its directory's server runs until the end of the `with` statement. `size` is how busy the shop is."""
    hr = folder / "hr.db"
    source.generate(hr, people=people, groups=groups, seed=1)
    with scim_server(folder / "scim-server.log", lambda line: None) as directory:
        found = World(folder, {
            **os.environ, "HR_DATABASE": f"sqlite:///{hr}", "PENSTOCK_URL": f"sqlite:///{folder / 'penstock.db'}",
            "SHOP_DATABASE": str(folder / "shop.db"), "ADS_DATABASE": str(folder / "ads.db"),
            "SCIM_URL": directory.url, "SCIM_TOKEN": directory.token,
            "PENSTOCK_BUSY_TIMEOUT_SECONDS": "60"})  # many share its file, and the machine may be busy
        making = [sys.executable, "-m", "tools.world.making", str(orders), str(hours), str(size)]
        done = subprocess.run(making, cwd=ROOT, capture_output=True, env=found.environment, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"the world: expected it to be made, got exit status {done.returncode}:\n{done.stderr}")
        yield found
