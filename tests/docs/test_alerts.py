"""The page on alerts: its app tells what its receivers are to be told, and its receiver knows who wrote."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.clock import Clock
from tests.connectors.http.server import Answer, Api
from tests.engine import Engine

PAGE = Path(__file__).parents[2] / "docs" / "alerts.md"
APP, RECEIVER = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_page_runs(store_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_URL", store_url)
    names: dict[str, Any] = {"__name__": "alerts_page"}
    exec(compile(RECEIVER, str(PAGE), "exec"), names)
    with Api() as api:
        api.on("POST /hooks/penstock", Answer(204))
        exec(compile(APP.replace("http://127.0.0.1:9", api.url), str(PAGE), "exec"), names)
        with names["app"] as app:
            Engine(app, clock)
            now = round(time.time() * 1000)
            clock.fetch("insert into penstock.approvals (layer_table, scope, sync, layer, subject, account, status,"
                        " reason, records, run_id, asked_at, expires_at)"
                        " values ('t', 's', 'people', 'People', 'g1', 'acme',"
                        f" 'asked', 'many', 30, 1, {now}, {now + 3_600_000}) returning id")
            app.alert_watch().look()
            app.alert_telling().step()
            assert [alert.kind for alert in app.alerts()] == ["deletes withheld"]
        (posted,) = api.seen
    assert names["pages"] == ["deletes withheld: 30 deletes of account acme of sync people wait for approval; see"
                              " `penstock approve people`"]
    header = posted.headers["penstock-signature"]
    assert names["receive"](posted.body, {"Penstock-Signature": header}) == 204
    assert names["receive"](posted.body + b" ", {"Penstock-Signature": header}) == 401
