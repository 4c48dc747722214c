"""`make screenshots`: a picture of each page for the docs, light and dark, of the world that `tools.world` makes.

The addresses are those that people come by; where a page is about one of many, the first that a list shows is taken.
"""

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, sync_playwright

from tools.world.place import ROOT, World, world

IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT, NARROW = 1440, 900, 390
_QUALITY = 72
_WORKERS = (("media=2",), ("mail=4", "events=2", "search=2"), ("exports=2", "crm=2"), ("penstock.sync=3",))


@dataclass(frozen=True)
class Picture:
    """`path` is where to begin; each of `links` is a selector that is clicked in turn; `narrow` makes one more picture,
    as wide as a telephone."""

    name: str
    path: str
    links: tuple[str, ...] = ()
    narrow: bool = False


_FIRST = "main tbody tr td a"
PICTURES = (
    Picture("overview", "/", narrow=True),
    Picture("jobs", "/jobs", narrow=True),
    Picture("job", "/jobs?state=discarded", (_FIRST,)),
    Picture("why-waiting", "/jobs?state=pending", (_FIRST, "a.why:has-text('Why')")),
    Picture("batch", "/jobs?tag=newsletter&state=completed", (_FIRST, "a[href*='/batches/']")),
    Picture("batches", "/batches"),
    Picture("queues", "/queues"),
    Picture("workers", "/workers"),
    Picture("worker", "/workers", ("main a[href*='/workers/']",)),
    Picture("periodic", "/periodic"),
    Picture("syncs", "/syncs"),
    Picture("sync", "/syncs", ("main a[href*='/syncs/']",)),
    Picture("runs", "/runs"),
    Picture("run", "/runs", (_FIRST,)),
    Picture("failed", "/syncs/directory/failed"),
    Picture("why-sent", "/syncs/directory/failed", ("main a[href*='/why/sent/']",)),
    Picture("approvals", "/approvals"),
    Picture("approval", "/approvals", ("main a[href*='/approvals/']",)),
    Picture("plan", "/syncs/directory/plan/doors-1"),
    Picture("windows", "/windows"),
    Picture("window", "/windows", (_FIRST,)),
    Picture("limits", "/limits"),
    Picture("tasks", "/tasks", narrow=True),
    Picture("task", "/tasks", ("main a[href*='reports.daily']",)),
    Picture("traces", "/traces"),
    Picture("trace", "/traces", ("main a[href*='/traces/']",)),
    Picture("flame", "/flame/directory"),
    Picture("why-slow", "/why/slow/reports.daily"),
    Picture("advice", "/advice"),
    Picture("advised", "/advice", ("main a[href*='/advice/']",)),
    Picture("journal", "/journal"),
)


def main() -> None:
    """Make all pictures, or those whose names are given."""
    wanted = set(sys.argv[1:])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-world-")))
        found = stack.enter_context(world(folder))
        url = stack.enter_context(_served(found))
        browser = stack.enter_context(_browser())
        IMAGES.mkdir(exist_ok=True)
        missed = []
        for picture in PICTURES:
            if not wanted or picture.name in wanted:
                try:
                    _take(browser, url, picture)
                except Error as error:
                    missed.append(f"{picture.name}: {error}")
    size = sum(each.stat().st_size for each in IMAGES.iterdir())
    if missed:
        raise SystemExit("\n".join(missed))
    print(f"{len(list(IMAGES.iterdir()))} pictures in docs/images, {size / 1e6:.1f} MB")


def _take(browser: Browser, url: str, picture: Picture) -> None:
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce",
                                  timezone_id="UTC", locale="en-GB")
    page = context.new_page()
    page.goto(url + picture.path)
    for link in picture.links:
        with page.expect_navigation():
            page.locator(link).first.click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        _save(page, f"{picture.name}-{scheme}")
    if picture.narrow:
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": NARROW, "height": 844})
        _save(page, f"{picture.name}-narrow")
    context.close()


def _save(page: Page, name: str) -> None:
    """As WebP, which the browser itself makes of what it shows."""
    session = page.context.new_cdp_session(page)
    shown = session.send("Page.captureScreenshot", {"format": "webp", "quality": _QUALITY})
    (IMAGES / f"{name}.webp").write_bytes(base64.b64decode(shown["data"]))
    print(f"docs/images/{name}.webp")


@contextmanager
def _browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None:
        raise SystemExit("expected a Chromium on the PATH, found none: it is in Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def _served(found: World) -> Iterator[str]:
    """The dashboard, workers that have something to do, and what gives it to them."""
    with ExitStack() as stack:
        def started(*command: str) -> "subprocess.Popen[str]":
            process = stack.enter_context(subprocess.Popen(command, cwd=ROOT, text=True, env=found.environment,
                                                           stdout=subprocess.PIPE))
            stack.callback(process.terminate)
            return process

        for number, queues in enumerate(_WORKERS, 1):
            named = [each for queue in queues for each in ("--queue", queue)]
            started(*found.penstock_on(f"shop-{number}", "worker", "--quiet", *named))
        started(sys.executable, "-m", "tools.world.traffic")
        web = started(*found.penstock("web", "--port", "0"))
        assert web.stdout is not None
        line = web.stdout.readline()
        if "http://" not in line:
            raise SystemExit("penstock web: expected it to say where it is, got nothing")
        yield line[line.index("http://"):].strip().rstrip("/")


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
