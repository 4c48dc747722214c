"""Where layers are declared, as traces tell of it."""

import gc
import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from penstock.observe.sites import Declared
from penstock.sync.serving.traced import declared_at

TEXT = '''
class Plain:
    key = "id"

    def rows(self):
        resource = 1


def made():
    @str.strip and (lambda kind: kind)
    class Inner:
        """It has a source."""

        key = "id"
        source = [
            1]

    return Inner


class Last:
    key = "id"

    def source(self):
        yield 1
'''


@pytest.fixture
def module(tmp_path: Path) -> Iterator[ModuleType]:
    path = tmp_path / "declared_here.py"
    path.write_text(TEXT + "later = [1, (2, [3, {4: 5}])]\n" * 1_000)
    spec = importlib.util.spec_from_file_location("declared_here", path)
    assert spec is not None
    assert spec.loader is not None
    found = sys.modules["declared_here"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    yield found
    del sys.modules["declared_here"]


def test_a_class_is_told_by_its_line_and_that_of_its_source(module: ModuleType):
    file = module.__file__
    assert file is not None
    assert declared_at(module.Last()) == Declared(file, 21, "Last", 24)
    assert declared_at(module.made()()) == Declared(file, 11, "made.<locals>.Inner", 15)
    assert declared_at(module.Plain()) == Declared(file, 2, "Plain"), "the source of another is none of its own"


def test_one_without_a_text_is_told_by_its_module():
    assert declared_at(type("Made", (), {"__module__": "nowhere"})()) == Declared("nowhere", 0, "Made")
    assert declared_at(object()) == Declared("builtins", 0, "object")


class Cycle:
    """Garbage, in whose end other threads may go on."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        for _ in range(100):
            pass


def test_many_threads_may_ask_at_once_and_garbage_be_collected_meanwhile(module: ModuleType):
    """It belongs to the work that is traced, which must not fail by being told of: parsing the text did, on 3.11."""
    failed: list[BaseException] = []
    begin = threading.Barrier(4)

    def ask(kinds: list[type]) -> None:
        begin.wait(60)
        try:
            for kind in kinds:
                for _ in range(100):
                    Cycle()
                declared_at(kind())
        except BaseException as error:
            failed.append(error)

    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(20)
    try:
        threads = [threading.Thread(target=ask, args=([module.made() for _ in range(3)],)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*threshold)
    assert failed == []
