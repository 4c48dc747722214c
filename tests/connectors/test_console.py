"""Console: one line per change, and never a question about credentials."""

import io
from datetime import date

import pytest

from penstock.connectors import Console
from penstock.domain.records import Change, ChangeKind, Done, Subject
from penstock.sync.declaring.ports import Run

RUN = Run(Subject("team-1"))


def change(kind: ChangeKind, key: str, payload: object = None, remote_id: str | None = None) -> Change:
    return Change(kind, key, payload=payload, remote_id=remote_id)


def test_each_change_is_one_line_of_verb_key_and_payload():
    stream = io.StringIO()
    console = Console(stream)

    created = console.create([change(ChangeKind.CREATE, "7", {"name": "Åse", "born": date(1990, 1, 2)}),
                              change(ChangeKind.CREATE, "8", {"name": "two\nlines"})], RUN)
    updated = console.update([change(ChangeKind.UPDATE, "7", {"name": "Åse B"}, "remote-7")], RUN)
    disabled = console.disable([change(ChangeKind.DELETE, "7", None, "remote-7")], RUN)
    deleted = console.delete([change(ChangeKind.DELETE, "8", None)], RUN)

    assert stream.getvalue().splitlines() == [
        'create 7 {"name":"Åse","born":"1990-01-02"}',
        'create 8 {"name":"two\\nlines"}',
        'update 7 {"name":"Åse B"}',
        "disable 7",
        "delete 8",
    ]
    assert created == [Done(remote_id="7"), Done(remote_id="8")]
    assert updated == disabled == [Done(remote_id="remote-7")]
    assert deleted == [Done(remote_id="8")]


def test_without_a_stream_it_prints_to_standard_output(capsys: pytest.CaptureFixture[str]):
    console = Console()  # before the redirection, as a layer's class does
    console.create([change(ChangeKind.CREATE, "7", {"a": 1})], RUN)
    assert capsys.readouterr().out == 'create 7 {"a":1}\n'


def test_a_key_cannot_break_its_line():
    stream = io.StringIO()
    Console(stream).delete([change(ChangeKind.DELETE, "7\ncreate 8\x1b[2J")], RUN)
    assert stream.getvalue() == 'delete "7\\ncreate 8\\u001b[2J"\n'


def test_nothing_is_found():
    assert Console().find(["7"], RUN) == {}
