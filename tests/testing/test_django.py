"""Django's connections in tests: jobs run in the caller's thread, whose connection may be in use just then."""

from pathlib import Path

import pytest

from tests.unit.worker.test_django import said

MODES = {"inline": "with inline(app): task.enqueue()", "drain": "task.enqueue(); drain(app)",
         "await": "with inline(app): asyncio.run(task.aenqueue())"}


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("mode", MODES)
def test_a_connection_of_the_caller_stays_open(tmp_path: Path, mode: str, kind: str):
    assert said(f"""
import asyncio
from penstock import Penstock
from penstock.testing import drain, inline

app = Penstock("sqlite:///store.db")

@app.task(name="task")
{kind} task():
    print("ran")

kept = open_one()
{MODES[mode]}
print(connection.connection is kept)
app.close()
""", tmp_path) == ["ran", "True"]
