"""Checks the documentation: links resolve, ADRs are in order, the glossary is whole, nothing names one machine.

Prints each fault as `file:line: what is wrong` and exits with 1 if there is one.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURE_LINES = 80
ADR_HEADINGS = ("Status", "Context", "Decision", "Consequences")
ONE_MACHINE = ("/work/", "/root/")
WORDS = """
    task, job, attempt, lease, queue, worker, slot, tag, batch, chunk,
    sync, subject, account, run, window, snapshot, layer, record, key, match, remote id,
    digest, page, plan, change, outcome, source, destination,
    rate, quota, permit, gate, deadline,
    trace, phase, statement, fingerprint, candidate, trial, verdict
"""

FENCE = re.compile(r"\s*(```|~~~)")
CODE = re.compile(r"(`+).+?\1")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\s*\[[^\]]+\]:\s+<?(\S+?)>?(?:\s|$)")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
HEADING = re.compile(r"#{1,6}\s+(.+?)\s*#*\s*$")
ADR_NAME = re.compile(r"(\d{3})-[a-z0-9]+(?:-[a-z0-9]+)*\.md")

Fault = tuple[Path, int, str]


def main() -> int:
    checks = (check_links(), check_architecture(), check_adrs(), check_glossary(), check_machine_names())
    faults = sorted(fault for check in checks for fault in check)
    for path, line, what in faults:
        print(f"{path.relative_to(ROOT)}:{line}: {what}")
    print(f"docs: {len(faults)} faults" if faults else f"docs: {len(pages())} pages, no faults")
    return 1 if faults else 0


def check_links() -> Iterator[Fault]:
    for page in pages():
        for number, line in prose(page):
            for inline, definition in LINK.findall(CODE.sub("", line)):
                target = inline or definition
                if not SCHEME.match(target) and (what := wrong_with(target, page)):
                    yield page, number, what


def check_architecture() -> Iterator[Fault]:
    page = ROOT / "ARCHITECTURE.md"
    count = len(lines(page)) if page.exists() else 0
    if count == 0:
        yield page, 1, "is missing or empty"
    elif count > ARCHITECTURE_LINES:
        yield page, count, f"has {count} lines; {ARCHITECTURE_LINES} are allowed"


def check_adrs() -> Iterator[Fault]:
    folder = ROOT / "docs" / "adr"
    adrs = sorted(folder.glob("*.md"))
    if not adrs:
        yield folder, 1, "has no ADRs"
    for expected, page in enumerate(adrs, start=1):
        name = ADR_NAME.fullmatch(page.name)
        if not name:
            yield page, 1, "is not named NNN-title.md"
        elif int(name[1]) != expected:
            yield page, 1, f"is out of order: {expected:03} was expected (numbers are unique and leave no gap)"
        for title in set(ADR_HEADINGS) - set(headings(page)):
            yield page, 1, f'has no heading "{title}"'


def check_glossary() -> Iterator[Fault]:
    page = ROOT / "docs" / "glossary.md"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    defined = {word.lower() for word in re.findall(r"\*{1,2}([^*\n]+)\*{1,2}", text)}
    for word in map(str.strip, WORDS.split(",")):
        if word not in defined:
            yield page, 1, f"does not define **{word}**"


def check_machine_names() -> Iterator[Fault]:
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        print("docs: this is not a git checkout, so its files were not searched for paths of one machine")
        return
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path == Path(__file__).resolve() or not path.is_file():
            continue
        for number, line in enumerate(lines(path), start=1):
            for place in ONE_MACHINE:
                if place in line:
                    yield path, number, f"names {place}, a path of one machine"


def wrong_with(target: str, page: Path) -> str | None:
    name, _, anchor = unquote(target).partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.is_relative_to(ROOT):
        return f"links to {target}, outside the repository"
    if not path.exists():
        return f"links to {target}, which does not exist"
    if anchor and path.suffix == ".md" and anchor not in anchors(path):
        return f"links to {target}, but {path.name} has no heading of that name"
    return None


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines that are not inside a code fence."""
    fence = ""
    for number, line in enumerate(lines(page), start=1):
        if mark := FENCE.match(line):
            fence = "" if fence == mark[1] else fence or mark[1]
        elif not fence:
            yield number, line


def headings(page: Path) -> Iterator[str]:
    for _, line in prose(page):
        if heading := HEADING.match(line):
            yield heading[1]


def anchors(page: Path) -> set[str]:
    """The names that a heading can be linked by, as the usual renderers of Markdown make them."""
    found: set[str] = set()
    for title in headings(page):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        name = base = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        count = 0
        while name in found:
            count += 1
            name = f"{base}-{count}"
        found.add(name)
    return found


if __name__ == "__main__":
    sys.exit(main())
