"""The example of case study K as a user runs it: by its commands, on both stores."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from penstock.cli.demo import source
from penstock.cli.demo.compare import differences, in_destination
from penstock.cli.demo.server import Destination, scim_server
from tests.caller import transaction
from tests.examples.commands import Commands
from tests.examples.imported import imported
from tests.processes import penstock as command
from tests.waiting import until

EXAMPLE = Path(__file__).parents[2] / "examples" / "directory"
GROUPS = 4
SUBJECT = "doors-3"


@pytest.fixture
def destination(tmp_path: Path) -> Iterator[Destination]:
    with scim_server(tmp_path / "scim.log", print) as running:
        yield running


@pytest.fixture
def hr(tmp_path: Path) -> Path:
    """The HR department's database, which is not the store."""
    path = tmp_path / "hr.db"
    source.generate(path, people=12, groups=GROUPS, seed=11)  # three seconds at ten changes a second
    return path


@pytest.fixture
def environment(store_url: str, hr: Path, destination: Destination) -> dict[str, str]:
    return {"PENSTOCK_APP": "directory:app", "PENSTOCK_URL": store_url, "HR_DATABASE": f"sqlite:///{hr}",
            "SCIM_URL": destination.url, "SCIM_TOKEN": destination.token}


Penstock = Callable[..., list[str]]


@pytest.fixture
def penstock_says(environment: dict[str, str]) -> Penstock:
    """Runs a command in the example's folder and gives the lines that it printed."""
    return Commands(EXAMPLE, environment)


@pytest.fixture
def hr_application(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The example as the HR application imports it, to call `group_changed`."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with imported(EXAMPLE / "directory.py", monkeypatch) as module:
        yield module


def test_both_copies_are_the_same_but_for_their_pace():
    demo = Path(source.__file__).with_name("directory.py").read_text("utf-8")
    paced = (EXAMPLE / "directory.py").read_text("utf-8")
    assert demo == paced.replace("Rate(10, ", "Rate(5000, ").replace(
        'by="account")])\n', 'by="account")])  # the demo\'s server is on this machine\n')


def test_it_does_what_its_docstring_says(
        penstock_says: Penstock, environment: dict[str, str], store_url: str, hr: Path, destination: Destination,
        hr_application: ModuleType):
    penstock_says("migrate")
    with source.opened(hr) as connection:
        size = connection.execute("select size from door_group where group_id = ?", (SUBJECT,)).fetchone()[0]
    planned = penstock_says("plan", "directory", "--subject", SUBJECT)
    assert planned[0] == f"{SUBJECT}:"
    for layer, count in (("People", size), ("Groups", 1), ("Members", size)):
        assert f"  {layer}: {count} to create, 0 to update, 0 to delete, 0 unchanged" in planned
    assert in_destination(destination) == {"user": set(), "group": set(), "member": set()}

    penstock_says("sync", "directory")
    assert differences(hr, destination) == []
    planned = penstock_says("plan", "directory")
    assert len(planned) == GROUPS * 4 + 1  # the group and its three layers, without a line for any change
    assert planned[-1] == "Nothing to send."
    assert sum("0 to create, 0 to update, 0 to delete" in line for line in planned) == GROUPS * 3

    with source.opened(hr) as connection:
        person, name = connection.execute("select employee_id, name from person join member using (employee_id)"
                                          " where group_id = ? limit 1", (SUBJECT,)).fetchone()
    said = penstock_says("why", "directory", SUBJECT, "People", person, "--remote")
    assert said[1].split() == "next run: skip: what is rendered now is what was sent".split()
    assert name not in "\n".join(said)
    assert "(that of the state)" in said[-1]
    assert said[-1].endswith("other than rendered: nothing")
    said = penstock_says("why", "directory", SUBJECT, "Members", f"{SUBJECT},{person}", "--json")
    assert [link["status"] for link in json.loads(said[-1])["links"]] == ["synced", "synced"]

    assert source.change(hr, seed=11) == source.Changed(renamed=1, readdressed=0, moved=0)  # one in a hundred
    groups = source.subjects(hr)
    with transaction(store_url) as connection:
        for group_id, customer in groups:
            hr_application.group_changed(connection, group_id, customer)
        connection.rollback()
    with command("worker", "--max-runtime", "500", "--headroom", "100", "--quiet", folder=EXAMPLE,
                 **environment) as worker:
        with transaction(store_url) as connection:
            for group_id, customer in groups:
                hr_application.group_changed(connection, group_id, customer)
            assert requests(store_url) == 0, "a request was seen before its commit"
            assert differences(hr, destination) != []
        until("the worker has synchronised the change", lambda: differences(hr, destination) == [])
        worker.process.terminate()
        assert worker.wait() == 0, worker.rest()


def requests(store_url: str) -> int:
    """How many requests others can see."""
    table = "penstock_sync_requests" if store_url.startswith("sqlite:") else "penstock.sync_requests"
    with transaction(store_url) as connection:
        return int(connection.execute(f"select count(*) from {table}").fetchone()[0])
