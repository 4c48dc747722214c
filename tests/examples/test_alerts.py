"""The example of alerts, with its receiver on loopback: twenty subjects that break are told of once."""

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.clock import Clock
from tests.engine import Engine
from tests.examples.imported import imported

EXAMPLE = Path(__file__).parents[2] / "examples" / "alerts"


def test_twenty_subjects_that_break_for_one_reason_are_told_of_once(
    store_url: str, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec: dict[str, Any] = {"__name__": "receiver"}
    exec(compile((EXAMPLE / "receiver.py").read_text("utf-8"), "receiver.py", "exec"), spec)
    receiver = spec["Receiver"](0, "s3cret")
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{receiver.server_address[1]}/")
    monkeypatch.setenv("SECRET", "s3cret")
    monkeypatch.setenv("SHOP", str(tmp_path))
    monkeypatch.setenv("PENSTOCK_URL", store_url)
    try:
        with imported(EXAMPLE / "shop.py", monkeypatch) as shop:
            shop.app.settings = type(shop.app.settings)(url=store_url, now=clock.expression)
            engine = Engine(shop.app, clock)
            (tmp_path / "broken").touch()
            subjects = [subject.key for subject in shop.app.definition("shop").sync.subjects()]
            runs = engine.sync("shop", *subjects)
            while any(run.status == "pending" for run in runs):
                engine.clock.advance(300)
                engine.settle_all()
                runs = shop.app.runs("shop", limit=200)
            assert {run.status for run in runs} == {"failed"}
            told = engine.app.alert_telling()
            engine.clock.advance(10)
            engine.app.upkeep().step()
            told.step()
            (tmp_path / "broken").unlink()
            engine.sync("shop", *subjects)
            for _ in range(3):
                engine.clock.advance(10)
                engine.app.upkeep().step()
            told.step()
    finally:
        receiver.shutdown()
        thread.join()
        receiver.server_close()
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("{")]
    assert [line.partition(":")[0] for line in lines] == ["firing", "recovered"]
    assert "20 subjects" in lines[0]
    shown = (EXAMPLE / "README.md").read_text("utf-8")
    assert lines[0].partition(" (")[0] in shown
    assert len(receiver.seen) == 2
