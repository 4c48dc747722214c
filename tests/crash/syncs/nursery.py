"""A process that gives birth to the processes which run a sync, and kills them.

It has everything imported and nothing opened, so a birth costs a fork. Orders come in by lines of JSON, one for each
child, and so go out what became of it: see `Order` and `Report`.
"""

import functools
import importlib
import importlib.util
import operator
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from penstock import Penstock
from penstock.connectors import scim
from penstock.sync.declaring.declare import Layer
from penstock.testing.connectors import faults as kit
from penstock.testing.connectors.faults import Faults
from penstock.testing.connectors.reading import ReadThrough
from penstock.testing.draining import drain
from penstock.testing.place import settings_of
from tests.clock import Clock

PAGES = {kind.name: kind for kind in (kit.SOURCE_FAILED, kit.PAGE_TWICE, kit.PAGE_LAST, kit.PAGE_HALVED)}
PAGE_SIZE = 3
CHILD_SECONDS = 60.0


class Order(msgspec.Struct):
    """What a child is to do: ask for a run of each subject, and serve what is due; without any, to migrate the store.

    `killed_at` is a kind of boundary (`store`, `request` or `page`), and the how manieth of them kills it;
    `killed_after` is in seconds. `page` is a fault of the source, and the page that it strikes.
    """

    url: str
    now: str
    sync: str
    subjects: list[tuple[str, str]]
    environment: dict[str, str] = {}
    killed_at: tuple[str, int] | None = None
    killed_after: float | None = None
    page: tuple[str, int] | None = None


class Report(msgspec.Struct):
    """What became of it. `killed` says where; `error` is what it raised, which it should not."""

    killed: str | None = None
    page: str | None = None
    error: str | None = None


class Doom(Faults):
    """Faults of the source, as the kit has them, and one boundary at which the process kills itself."""

    def __init__(self, order: Order, tell: int) -> None:
        super().__init__(requests=False)
        self._kind, self._left = order.killed_at or ("", 0)
        self._tell = tell
        self._fault = PAGES[order.page[0]].at(order.page[1]) if order.page else None
        self.arm(*([self._fault] if self._fault else []))

    def reach(self, kind: Any, side: Any, what: str) -> Any:
        self.pass_by(kind, f"{side} {what}")
        struck = super().reach(kind, side, what)
        if struck is not None:
            say(self._tell, Report(page=struck.name))
        return struck

    def pass_by(self, kind: str, where: str) -> None:
        if kind == self._kind:
            self._left -= 1
            if not self._left:
                say(self._tell, Report(killed=where))
                os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """A store whose writes are boundaries, and its control plane's."""

    def __init__(self, store: Any, doom: Doom) -> None:
        self._store = store
        self._doom = doom

    @property
    def control(self) -> "Watched":
        return Watched(self._store.control, self._doom)

    def write(self, work: Any) -> Any:
        self._doom.pass_by("store", "before a write to the store")
        written = self._store.write(work)
        self._doom.pass_by("store", "after a write to the store")
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def say(pipe: int, report: Report) -> None:
    os.write(pipe, msgspec.json.encode(report) + b"\n")


def serve(program: str, client: tuple[str, str]) -> None:
    """Take orders until there are none. `program` is a walk's file; `client` the function that all its calls go by,
    as a class's path below its module, and a method."""
    sys.path.insert(0, str(Path(program).parent))
    spec = importlib.util.spec_from_file_location(Path(program).stem, program)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    # A context of certificate authorities takes longer than all else that a child does.
    httpx2._transports.default.create_ssl_context = functools.cache(httpx2.create_ssl_context)  # type: ignore[attr-defined]
    httpx2.Client(trust_env=False).close()
    scim.connect("http://127.0.0.1").close()
    for room in ("penstock.store.sqlite", "penstock.store.postgres", "penstock.connectors.sql.sqlite"):
        importlib.import_module(room)
    owner, method = client
    for line in sys.stdin:
        order = msgspec.json.decode(line, type=Order)
        report = _born(functools.partial(_child, module, operator.attrgetter(owner)(module), method, order), order)
        print(msgspec.json.encode(report).decode(), flush=True)


def _born(work: Any, order: Order) -> Report:
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        os.close(told)
        status = 1
        try:
            work(tell)
            status = 0
        except BaseException:
            say(tell, Report(error=traceback.format_exc()))
        finally:
            os._exit(status)
    os.close(tell)
    killed = None
    limit = order.killed_after if order.killed_after is not None else CHILD_SECONDS
    until, said = time.monotonic() + limit, b""
    while ready := select.select([told], [], [], max(0.0, until - time.monotonic()))[0]:
        if not (more := os.read(ready[0], 65536)):
            break
        said += more
    else:
        os.kill(child, signal.SIGKILL)
        killed = "at a random moment" if order.killed_after is not None else None
    os.waitpid(child, 0)
    while more := os.read(told, 65536):
        said += more
    os.close(told)
    reports = [msgspec.json.decode(each, type=Report) for each in said.splitlines()]
    if killed is None and order.killed_after is None and not ready:
        return Report(error=f"the child did not end within {CHILD_SECONDS:g} s")
    return Report(next((each.killed for each in reports if each.killed), killed),
                  next((each.page for each in reports if each.page), None),
                  next((each.error for each in reports if each.error), None))


def _child(module: Any, client: type, method: str, order: Order, tell: int) -> None:
    os.environ.update(order.environment)
    app: Penstock = module.app
    doom = Doom(order, tell)
    for layer in () if not order.subjects else app.syncs[order.sync].sync.layers:
        _read_through(layer, doom)
    _bounded(client, method, doom)
    with settings_of(app, url=order.url, now=order.now):
        if not order.subjects:
            app.migrate()
            return
        clock = Clock(order.url, joined=True)
        app.monotonic, app.sleep = (lambda: clock.passed), clock.sleep  # who waits for a permit moves the time
        app._store = Watched(app.store, doom)  # type: ignore[assignment]
        app.request([{"sync": order.sync, "subject": subject, "account": account, "priority": 0, "reason": "test"}
                     for subject, account in order.subjects])
        if unexpected := [ran for ran in drain(app).ran if ran.error is not None]:
            raise unexpected[0].error or AssertionError(unexpected[0])


def _read_through(layer: type[Layer[Any]], doom: Doom) -> None:
    layer.source = ReadThrough(layer.source, layer.__name__, doom, lambda: PAGE_SIZE, list)  # type: ignore[assignment]


def _bounded(client: type, method: str, doom: Doom) -> None:
    request = getattr(client, method)

    def bounded(self: Any, *arguments: Any, **named: Any) -> Any:
        doom.pass_by("request", f"before {arguments[:2]}"[:80])
        answer = request(self, *arguments, **named)
        doom.pass_by("request", f"after {arguments[:2]}"[:80])
        return answer

    setattr(client, method, bounded)
