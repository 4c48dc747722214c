"""Django's connections in tests: jobs run in the caller's thread, whose connection may be in use just then."""

from pathlib import Path

from tests.unit.worker.test_django import said

MODES = {"inline": "with inline(app): task.enqueue()", "drain": "task.enqueue(); drain(app)",
         "await": "with inline(app): asyncio.run(task.aenqueue())"}


def test_a_connection_of_the_caller_stays_open(tmp_path: Path):
    """In each mode and of each colour; all in one process, for Django takes its time to be imported."""
    cases = [(mode, kind) for mode in MODES for kind in ("def", "async def")]
    code = """
import asyncio
from penstock import Penstock
from penstock.testing import drain, inline
"""
    for number, (mode, kind) in enumerate(cases):
        code += f"""
app = Penstock("sqlite:///store{number}.db")

@app.task(name="task")
{kind} task():
    print({mode!r}, {kind!r}, "ran")

kept = open_one()
{MODES[mode]}
print({mode!r}, {kind!r}, connection.connection is kept)
app.close()
"""
    assert said(code, tmp_path) == [f"{mode} {kind} {what}" for mode, kind in cases for what in ("ran", "True")]
