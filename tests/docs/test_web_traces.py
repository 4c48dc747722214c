"""The page on tasks, traces and advice in the browser: its addresses are those that there are."""

import re
from pathlib import Path

from penstock.web.pages import advice, alerts, slow, tasks, traces

PAGE = (Path(__file__).parents[2] / "docs" / "web-traces.md").read_text("utf-8")


def test_every_address_is_on_the_page_and_there_are_no_others():
    modules = (advice, alerts, slow, tasks, traces)
    declared = {each.path for module in modules for each in (*module.VIEWS, *getattr(module, "FILES", ()))}
    plain = {re.sub(r"{(\w+)(?::path)?}", lambda found: found[1].upper(), path) for path in declared}
    named = set(re.findall(r"`(/(?:tasks|traces|flame|speedscope|advice|why/slow|alerts)[\w/]*)`", PAGE))
    assert named == plain - {"/why/slow"}
