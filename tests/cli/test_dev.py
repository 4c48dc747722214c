"""`penstock dev`: children that begin again when a file changes, and that end with it."""

import signal
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from penstock.cli import cli
from tests.processes import Child, ended, penstock

APP = '''
import os
import sys
from penstock import Penstock

app = Penstock("sqlite:///dev.db", poll_seconds=0.05)


@app.task(name="say")
def say() -> None:
    print("{what} said by", os.getpid(), flush=True)


if "worker" in sys.argv:
    say.enqueue()
print("{what} in", "worker" if "worker" in sys.argv else "web", os.getpid(), flush=True)
'''


def both(child: Child, what: str) -> set[int]:
    """The pids of worker and dashboard, once each has imported what there is, and the worker has run a job of it."""
    wanted = {f"{what} in worker", f"{what} in web", f"{what} said by"}
    pids = set()
    while wanted:
        line, _, pid = child.line(f"{what} ").rpartition(" ")
        wanted.discard(line)
        pids.add(int(pid))
    return pids


def test_both_begin_again_when_a_file_changes_and_end_with_it(tmp_path: Path):
    (tmp_path / "theapp.py").write_text(APP.format(what="one"))
    with penstock("--app", "theapp", "dev", "--port", "0", folder=tmp_path) as child:
        first = both(child, "one")
        (tmp_path / "notes.txt").write_text("no reason to begin again")
        (tmp_path / "theapp.py").write_text(APP.format(what="two"))
        child.line("dev: theapp.py changed")
        second = both(child, "two")
        assert all(map(ended, first))
        child.signal(signal.SIGINT)
        assert child.wait() == 0
        assert all(map(ended, second))


def test_an_app_that_is_broken_is_tried_again_with_the_next_change(tmp_path: Path):
    (tmp_path / "theapp.py").write_text("app = = 3")
    with penstock("--app", "theapp", "dev", "--no-web", folder=tmp_path) as child:
        child.line("SyntaxError")
        child.line("dev: the worker ended with exit code 2; it is started again when a file changes")
        (tmp_path / "theapp.py").write_text(APP.format(what="mended"))
        pid = int(child.line("mended in worker").split()[-1])
        child.line("mended said by")
        child.signal(signal.SIGTERM)
        assert child.wait() == 0
        assert ended(pid)


def test_a_job_that_does_not_end_is_cut_off_by_a_second_signal(tmp_path: Path):
    text = APP.format(what="stuck").replace("flush=True)\n\n\nif", "flush=True)\n    import threading\n"
                                            "    threading.Event().wait()\n\n\nif")
    (tmp_path / "theapp.py").write_text(text)
    with penstock("--app", "theapp", "dev", "--no-web", folder=tmp_path) as child:
        pid = int(child.line("stuck said by").split()[-1])
        child.signal(signal.SIGINT)
        child.signal(signal.SIGTERM)  # another one, since two of a kind may come as one
        assert child.wait() == 0
        assert ended(pid)


def test_its_children_do_not_outlive_it(tmp_path: Path):
    (tmp_path / "theapp.py").write_text(APP.format(what="one"))
    with penstock("--app", "theapp", "dev", "--port", "0", folder=tmp_path) as child:
        pids = both(child, "one")
        child.signal(signal.SIGKILL)
        child.rest()  # ends when the last of them has closed what they all write to
        assert len(pids) == 2


def test_without_what_watches_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    found = CliRunner().invoke(cli, ["dev"])
    assert (found.exit_code, found.stdout) == (2, "")
    assert "error: `penstock dev` needs watchfiles: pip install 'penstock[web]'" in found.stderr
