"""What load balancers and collectors ask: whether the process lives, whether it can serve, and numbers."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from penstock.app import Penstock
from penstock.domain.errors import SchemaError, StoreError
from penstock.web.answering import Answering


class Health:
    """Open to everybody, as far as it gives nothing away; the numbers are for those who may look."""

    def __init__(self, app: Penstock, answering: Answering) -> None:
        self._app = app
        self._answering = answering

    async def alive(self, request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(self, request: Request) -> Response:
        fault = await run_in_threadpool(self._fault)
        return PlainTextResponse(f"{fault or 'ready'}\n", 503 if fault else 200)

    def _fault(self) -> str:
        try:
            self._app.check()
        except SchemaError:
            return "not ready: migrations are missing, or newer than this program"
        except StoreError:
            return "not ready: the store does not answer"
        return ""

    async def metrics(self, request: Request) -> Response:
        return PlainTextResponse("", media_type="text/plain; version=0.0.4")
