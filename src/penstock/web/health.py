"""What load balancers and collectors ask: whether the process lives, whether it can serve, and numbers.

The first two are open to everybody, so they give nothing away and cost the store one look a second at most. The numbers
are for those who may look.
"""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from penstock.app.overseeing import Overview
from penstock.domain.errors import PenstockError, SchemaError
from penstock.web import metrics
from penstock.web.answering import Answering
from penstock.web.sharing import Shared


class Health:
    """The endpoints."""

    def __init__(self, answering: Answering, share_seconds: float) -> None:
        self._answering = answering
        self._shared = Shared(share_seconds)

    async def alive(self, request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(self, request: Request) -> Response:
        fault = await run_in_threadpool(self._shared.get, ("ready",), self._fault)
        return PlainTextResponse(f"{fault or 'ready'}\n", 503 if fault else 200)

    def _fault(self) -> str:
        try:
            self._answering.app.check()
        except SchemaError:
            return "not ready: the store lacks migrations, or has newer ones"
        except PenstockError:
            return "not ready: the store does not answer"
        return ""

    def _overview(self) -> Overview:
        return self._answering.read(lambda app: app.overview())

    async def metrics(self, request: Request) -> Response:
        visit = await self._answering.visit(request)
        if visit.person is None:
            return PlainTextResponse("expected a token: Authorization: Bearer …\n", 401, {"WWW-Authenticate": "Bearer"})
        try:
            found = await run_in_threadpool(self._shared.get, ("metrics",), self._overview)
        except PenstockError:
            return PlainTextResponse("the store does not answer\n", 503)
        replica = self._answering.replica
        text = metrics.text(found, None if replica is None else replica.reading)
        return Response(text, media_type=metrics.CONTENT_TYPE)
