"""`bench web`: whether every page of the dashboard answers at once where there are five million jobs, and what fifty
open browsers cost the store.

A store is filled with jobs in every state, runs with their statistics, records, windows, limits and traces, and its
counters are true of its rows. The real server serves it. Pages are found as a person finds them, by links and by forms
that filter; one client asks for each address, and its median counts. Then browsers look at the overview and have it
renewed, while the server counts the statements that it asks.
"""

import contextlib
import os
import statistics
import sys
import tempfile
import time

from bench.report import report
from bench.server import postgres, settle
from bench.web.browsing import Served, served, watching
from bench.web.crawling import crawl
from bench.web.filling import fill
from penstock.web.pages import declared

_REQUESTS, _BROWSERS = 20, 50
_ROUND_SECONDS = 2.5
_TOLD = 12
_WORDS = {"tag": "customer:17", "task": "crm.push_contact", "queue": "crm", "error": "TimeoutError",
          "error_class": "TimeoutError", "key": "E100102", "search": "E1001", "q": "crm", "account": "customer-07",
          "subject": "group-0007", "id": "1000", "name": "crm"}


def run(quick: bool, store: str) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    jobs, runs = (5_000_000, 100_000) if store == "postgres" else (500_000, 100_000)
    if quick:
        jobs, runs = jobs // 50, runs // 50
    with contextlib.ExitStack() as stack:
        setting: dict[str, str] = {}
        if store == "sqlite":
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory(prefix='penstock-bench-'))}/web.db"
        else:
            server = stack.enter_context(postgres())
            url, setting = stack.enter_context(server.database()), server.settings
        os.environ["PENSTOCK_URL"] = url
        began = time.perf_counter()
        fill(jobs, runs, lambda line: print(line, file=sys.stderr, flush=True))
        if store == "postgres":
            settle(url)
        filled = time.perf_counter() - began
        web = stack.enter_context(served(url))
        figures = _pages(web) | _live(web, 10 if quick else 30)
    report("web", {"jobs": jobs, "runs": runs, "browsers": _BROWSERS, "requests": _REQUESTS},
           figures | {"filled_s": round(filled, 1)},
           {"slowest_page_median_ms": ("<=", 100), "overview_queries_per_s": ("<=", 10)}, store=store, **setting)


def _pages(web: Served) -> dict[str, int | float]:
    """The median of every address that is found. The slowest are told by name."""
    patterns = [view.path for view in declared().views]
    found = crawl(web.page, ["/"], patterns, _WORDS)
    times: dict[str, list[float]] = {address: [] for addresses in found.values() for address in addresses}
    for _ in range(_REQUESTS):  # one after the other: what is asked for again at once may be shared
        began = time.monotonic()
        for address, each in times.items():
            each.append(web.get(address)[2])
        time.sleep(max(_ROUND_SECONDS - (time.monotonic() - began), 0))
    medians = {address: statistics.median(each) for address, each in times.items()}
    for address in sorted(medians, key=medians.__getitem__, reverse=True)[:_TOLD]:
        print(f"{medians[address]:8.1f} ms  at most {max(times[address]):8.1f} ms  {address}", file=sys.stderr)
    for pattern in (pattern for pattern, addresses in found.items() if not addresses):
        print(f"nothing leads to {pattern}", file=sys.stderr)
    return {"pages": sum(bool(each) for each in found.values()), "pages_declared": len(patterns),
            "addresses": len(medians), "slowest_page_median_ms": round(max(medians.values()), 1),
            "median_page_ms": round(statistics.median(medians.values()), 1)}


def _live(web: Served, seconds: float) -> dict[str, int | float]:
    """What the server asks of its store while browsers look at the overview, and jobs keep coming."""
    from bench.web import shop  # which opens what PENSTOCK_URL names

    with contextlib.closing(shop.app), watching(web.port, _BROWSERS) as browsers:
        deadline = time.monotonic() + 30
        while any(not browser.received for browser in browsers) and time.monotonic() < deadline:
            for browser in browsers:
                browser.read()
            time.sleep(0.05)
        heard = sum(bool(browser.received) for browser in browsers)
        before, began = web.asked(), time.monotonic()
        while time.monotonic() < began + seconds:
            for browser in browsers:
                browser.read()
            shop.tasks["cache.warm"].enqueue(1, "A-1")
            time.sleep(0.1)
        after, took = web.asked(), time.monotonic() - began
    for text, number in after["most"].items():
        print(f"{number:6}  {text}", file=sys.stderr)
    return {"browsers_renewed": heard, "events_per_browser_s": round(statistics.median(
        browser.received for browser in browsers) / seconds, 2),
        "overview_queries_per_s": round((after["statements"] - before["statements"]) / took, 2)}
