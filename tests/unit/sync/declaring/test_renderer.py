"""Telling one `render` from another."""

import functools
import subprocess
import sys
from typing import Any

from penstock.sync.declaring.renderer import fingerprint, words


def one(record: Any) -> dict[str, Any]:
    return {"name": record.name, "kind": "a" if record.kind in {"x", "y", "z"} else "b"}


def same(record: Any) -> dict[str, Any]:
    """Said in other words."""
    # With a comment.
    return {"name": record.name, "kind": "a" if record.kind in {"x", "y", "z"} else "b"}


def other(record: Any) -> dict[str, Any]:
    return {"name": record.name, "kind": "a" if record.kind in {"x", "y"} else "b"}


def nested(record: Any) -> dict[str, Any]:
    return {key: [str(part) for part in value] for key, value in record.items() if key != "secret"}


def decorated(function: Any) -> Any:
    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return function(*arguments)

    return call


def test_the_same_code_has_the_same_fingerprint_in_every_process():
    code = "from tests.unit.sync.declaring import test_renderer as t; print(t.fingerprint(t.one))"
    said = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}).stdout.strip()
            for seed in ("1", "2")}
    assert said == {fingerprint(one)}


def test_another_code_has_another():
    assert len({fingerprint(each) for each in (one, other, nested, None)}) == 4


def test_what_a_decorator_encloses_counts():
    assert fingerprint(decorated(one)) != fingerprint(decorated(other))
    assert fingerprint(decorated(one)) == fingerprint(decorated(one))


def test_the_words_of_a_render():
    assert {"name", "kind", "x"} <= words(one)
    assert "secret" in words(decorated(nested))
    assert "phone" not in words(one)
    assert words(None) == frozenset()
