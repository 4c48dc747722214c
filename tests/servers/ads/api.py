"""The API behind the server: requests are served one at a time, unless a fault has it otherwise, and logged."""

import itertools
import math
import threading
from collections.abc import Callable

import msgspec

from tests.servers.ads.faults import Fault
from tests.servers.ads.log import Call
from tests.servers.ads.messages import Refusal, Reply, Request, broken, throttled
from tests.servers.ads.operations import left_out
from tests.servers.ads.routes import Served, State


class Api:
    """One API with its customers. `clock` gives seconds. Whoever touches `state` or `faults` holds `lock`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lock = threading.Lock()
        self.state = State(clock)
        self.faults: list[Fault] = []
        self._numbers = itertools.count(1)

    def answer(self, request: Request) -> Reply:
        """Serve a request, unless a fault, a quota or its form is in the way."""
        with self.lock:
            served = Served(self.state, next(self._numbers), request)
            fault = self._fault(request)
            try:
                reply = served.reply() if fault is None else _met(fault, served)
            except Refusal as refusal:
                reply = refusal.reply
            except msgspec.DecodeError as error:
                reply = Refusal(400, "INVALID_REQUEST", f"the body cannot be understood: {error}").reply
            self.state.log.calls.append(Call(
                served.number, self.state.clock(), request.route, request.customer, request.token, served.kind,
                served.operations, reply.status, served.carried_out, None if fault is None else fault.kind))
        return reply

    def _fault(self, request: Request) -> Fault | None:
        for fault in self.faults:
            if fault.takes(request.route, request.customer, request.body):
                return fault
        return None


def _met(fault: Fault, served: Served) -> Reply:
    """What becomes of a request that meets a fault, before or after it is served."""
    match fault.kind:
        case "drop_before":
            return Reply(None)
        case "error_before":
            raise broken(fault.status)
        case "refuse":
            raise Refusal(400, "INVALID_REQUEST", "the call holds something that the API cannot bear")
        case "throttle":
            raise throttled(fault.retry_after, "the API is busy")
    reply = served.reply()
    match fault.kind:
        case "drop_after":
            return Reply(None)
        case "reset":
            return Reply(None, reset=True)
        case "error_after":
            raise broken(fault.status)
        case "slow":
            reply.wait = fault.seconds
        case "hang":
            reply.wait = math.inf
        case "fewer" if "results" in reply.content:
            reply.content = {"results": left_out(reply.content["results"], fault.places)}
        case "reversed" if "results" in reply.content:
            reply.content = {"results": reply.content["results"][::-1]}
    return reply
