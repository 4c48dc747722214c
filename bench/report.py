"""How every benchmark reports: a table, then `{"bench", "scale", "figures", "machine"}` as the last line."""

import json
import os
import platform
import sqlite3
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

Number = int | float


def report(bench: str, scale: Mapping[str, Number], figures: Mapping[str, Number],
           bars: Mapping[str, tuple[str, Number]], **setting: str) -> None:
    """Print the figures beside their bars (`{"key": (">=", 100)}`), then the JSON line.

    `setting` says what else the figures are of (the server's version, the store): it is told with the machine.
    """
    table = Table(title=f"bench {bench}  ({', '.join(f'{key} {value:,}' for key, value in scale.items())})")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("bar", justify="right")
    table.add_column("")
    for key, value in figures.items():
        sign, bar = bars.get(key, ("", None))
        held = "" if bar is None else "holds" if (value >= bar if sign == ">=" else value <= bar) else "MISSED"
        table.add_row(key, f"{value:,.2f}" if isinstance(value, float) else f"{value:,}",
                      "" if bar is None else f"{sign} {bar:,}", held)
    if setting:
        table.caption = ", ".join(f"{key} {value}" for key, value in setting.items())
    Console(width=100).print(table)
    print(json.dumps({"bench": bench, "scale": dict(scale), "figures": dict(figures), "machine": machine() | setting}))


def machine() -> dict[str, str | int | None]:
    """What ran it, without what would name the machine."""
    return {"cpus": os.cpu_count(), "system": platform.system(), "arch": platform.machine(),
            "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
