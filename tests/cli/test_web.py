"""`penstock web`: it serves, it stops while browsers look, and it refuses to be open to others."""

import signal
import socket
from pathlib import Path

import httpx2
import pytest

from tests.cli.conftest import Command, Written
from tests.processes import penstock

APP = '''
from penstock import Penstock

app = Penstock("sqlite:///web.db")


@app.task(name="say")
def say() -> None: ...
'''


@pytest.fixture
def command(written: Written) -> Command:
    return written("webapp", "from penstock import Penstock\napp = Penstock()\n")


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/web.db"


def test_it_serves_and_ends_softly_while_a_browser_looks(tmp_path: Path):
    (tmp_path / "webapp.py").write_text(APP)
    with penstock("--app", "webapp", "web", "--port", "0", folder=tmp_path) as child:
        url = child.line("the dashboard is at ").rpartition(" ")[2]
        with httpx2.Client(base_url=url, timeout=60) as client:
            assert client.get("/readyz").text == "ready\n"
            assert "Overview" in client.get("/").text
            with client.stream("GET", "/live", params={"of": "/"}) as stream:
                lines = stream.iter_lines()
                assert next(lines) == "retry: 3000"
                child.signal(signal.SIGTERM)
                assert [line for line in lines if line.startswith("data: ") and "<script" in line] == []
        assert child.wait() == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "jobs.example.com"])
def test_without_tokens_it_is_for_this_machine_alone(command: Command, host: str):
    code, _, errors = command("web", "--host", host, "--port", "0")
    assert code == 2
    assert "it has no tokens" in errors
    assert "--new-token" in errors


def test_another_name_needs_tokens_too(command: Command):
    code, _, errors = command("web", "--allow-host", "jobs.example.com", "--port", "0")
    assert code == 2
    assert "needs tokens" in errors


def test_a_port_that_is_taken_is_said_to_be(command: Command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, errors = command("web", "--port", str(taken.getsockname()[1]))
    assert code == 2
    assert "cannot listen on 127.0.0.1" in errors


def test_it_makes_tokens_with_the_entry_that_lets_them_in(command: Command, monkeypatch: pytest.MonkeyPatch):
    from penstock.web.people import People

    code, said, _ = command("web", "--new-token", "anna", "--scope", "operate", "--scope", "approve")
    assert code == 0
    token, entry = (line.rpartition("  " if "token," in line else " = ")[2].strip('"') for line in said.splitlines())
    person = People.read(entry).of_token(token)
    assert person is not None
    assert (person.name, person.scopes) == ("anna", {"read", "operate", "approve"})


@pytest.mark.parametrize("arguments", [("anna smith",), ("",), ("anna", "--scope", "fly")])
def test_a_token_that_cannot_be_is_refused(command: Command, arguments: tuple[str, ...]):
    code, _, errors = command("web", "--new-token", *arguments)
    assert code == 2
    assert "web_tokens" in errors


def test_tokens_that_cannot_be_read_are_said_at_the_start(command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PENSTOCK_WEB_TOKENS", "anna=operate:nothing")
    code, _, errors = command("web", "--port", "0")
    assert code == 2
    assert "expected NAME=SCOPE+SCOPE:HASH" in errors


def test_a_file_has_no_replica(command: Command):
    code, _, errors = command("web", "--port", "0", "--replica", "postgresql://standby/shop")
    assert code == 2
    assert "replica_url: expected none, since the store is a SQLite file" in errors
