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
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, sync_playwright

from bench.web.crawling import pattern_of
from penstock.web.pages import declared
from tools.pictures import GALLERY, IMAGES, PICTURES, SIGN_IN, Picture, gallery
from tools.world.place import ROOT, World, world

WIDTH, HEIGHT, NARROW = 1440, 900, 390
_QUALITY = 60
_WORKERS = (("media=2",), ("mail=4", "events=2", "search=2"), ("exports=2", "crm=2"), ("penstock.sync=3",))
_PATHS = [SIGN_IN, *(view.path for view in declared().views)]
_TOKENS = f"ops=operate:{'0' * 64}"


def main() -> None:
    """Make all pictures, or those whose names are given, and the page that shows them."""
    wanted = [each for each in PICTURES if not sys.argv[1:] or each.name in sys.argv[1:]]
    if unknown := set(sys.argv[1:]) - {each.name for each in wanted}:
        raise SystemExit(f"expected names of pictures, got {', '.join(sorted(unknown))}: they are in tools/pictures.py")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-world-")))
        found = stack.enter_context(world(folder))
        url, closed = stack.enter_context(_served(found)), stack.enter_context(_closed(found))
        browser = stack.enter_context(_browser())
        IMAGES.mkdir(exist_ok=True)
        missed = []
        for picture in wanted:
            try:
                _take(browser, closed if picture.of == SIGN_IN else url, picture)
            except (Error, LookupError) as error:
                missed.append(f"{picture.name}: {error}")
    known = {file for picture in PICTURES for file in picture.files.values()}
    for each in IMAGES.iterdir():
        if each.name not in known:
            each.unlink()
    there = {each.name: each.stat().st_size for each in IMAGES.iterdir()}
    GALLERY.write_text(gallery(there), "utf-8")
    if missed:
        raise SystemExit("\n".join(missed))
    print(f"{len(there)} pictures of {len(known)} in docs/images, {sum(there.values()) / 1e6:.1f} MB")


def _take(browser: Browser, url: str, picture: Picture) -> None:
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce",
                                  timezone_id="UTC", locale="en-GB")
    try:
        page = context.new_page()
        page.goto(url + picture.path)
        for link in picture.links:
            with page.expect_navigation():
                page.locator(link).first.click()
        if pattern_of(page.url.removeprefix(url), _PATHS) != picture.of:
            raise LookupError(f"expected to come to {picture.of}, got {page.url}")
        for what, file in picture.files.items():
            page.emulate_media(color_scheme="dark" if "dark" in what else "light")
            if "narrow" in what:
                page.set_viewport_size({"width": NARROW, "height": 844})
            _save(page, file)
    finally:
        context.close()


def _save(page: Page, name: str) -> None:
    """As WebP, which the browser itself makes of what it shows."""
    session = page.context.new_cdp_session(page)
    shown = session.send("Page.captureScreenshot", {"format": "webp", "quality": _QUALITY})
    (IMAGES / name).write_bytes(base64.b64decode(shown["data"]))
    print(f"docs/images/{name}")


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
        yield _address(started(*found.penstock("web", "--port", "0")))


@contextmanager
def _closed(found: World) -> Iterator[str]:
    """The dashboard of those who have tokens."""
    with subprocess.Popen(found.penstock("web", "--port", "0"), cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          env={**found.environment, "PENSTOCK_WEB_TOKENS": _TOKENS}) as process:
        yield _address(process)
        process.terminate()


def _address(web: "subprocess.Popen[str]") -> str:
    assert web.stdout is not None
    line = web.stdout.readline()
    if "http://" not in line:
        raise SystemExit("penstock web: expected it to say where it is, got nothing")
    return line[line.index("http://"):].strip().rstrip("/")


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
