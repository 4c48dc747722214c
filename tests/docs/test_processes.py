"""The page on processes: its module, imported as people do, is served by a worker whose child runs the body."""

import re
from pathlib import Path

from tests.processes import python
from tests.stores import on_sqlite

PAGE = Path(__file__).parents[2] / "docs" / "processes.md"
(MODULE,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
SERVED = """
import os, sys
sys.path.insert(0, "")
import reports
from tests.stores import on_sqlite
from tests.waiting import until
with reports.app as app:
    app.migrate()
    assert app.slots() == {"reports": len(os.sched_getaffinity(0))}, app.slots()
    job = reports.render.enqueue(7, 3)
    worker = app.worker({"reports": 1})
    worker.start()
    until("it is rendered", lambda: app.job(job.id).state == "completed")
    worker.stop()
"""


@on_sqlite
def test_the_page_runs(tmp_path: Path, store_url: str) -> None:
    (tmp_path / "reports.py").write_text(MODULE.replace("sqlite:///reports.db", store_url), "utf-8")
    with python(SERVED, folder=tmp_path) as child:
        assert (child.wait(), child.rest()) == (0, [])
