"""The same as JSON, for programs, under `/api/v1`, with its description: pages by GET, changes by POST."""

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.web.answering import Answering, Visit, Wrong, given, path_of
from penstock.web.asked import Misread, from_json, from_pairs
from penstock.web.declared import Action, File, Forbidden, Person, Seen, View
from penstock.web.openapi import document

PREFIX = "/api/v1"
CSRF_HEADER = "X-CSRF-Token"


class Api:
    """The routes of the API of a site."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    def routes(self) -> list[Route]:
        declared = self._answering.declared
        found = [*(Route(PREFIX + view.path, self._viewed(view), methods=["GET"]) for view in declared.views),
                 *(Route(PREFIX + file.path, self._given(file), methods=["GET"]) for file in declared.files),
                 *(Route(PREFIX + action.path, self._acted(action), methods=["POST"]) for action in declared.actions)]
        found.sort(key=lambda route: route.path.replace("{", "\uffff"))
        return [Route(f"{PREFIX}/openapi.json", self._endpoint(self._described), methods=["GET"]), *found,
                Route(PREFIX + "/{rest:path}", _missing, methods=["GET", "POST"])]

    def _viewed(self, view: View[Any, Any]) -> Callable[[Request], Any]:
        def answer(request: Request, visit: Visit, person: Person) -> Response:
            asked = from_pairs(view.asked, request.path_params, request.query_params.multi_items())
            return _json(self._answering.loaded(view, person, asked, shared=False))

        return self._endpoint(answer)

    def _given(self, file: File[Any]) -> Callable[[Request], Any]:
        def answer(request: Request, visit: Visit, person: Person) -> Response:
            if file.scope not in person.scopes:
                raise Forbidden(file.scope)
            asked = from_pairs(file.asked, request.path_params, request.query_params.multi_items())
            return given(self._answering.read(lambda app: file.load(Seen(app, person), asked)))

        return self._endpoint(answer)

    def _described(self, request: Request, visit: Visit, person: Person) -> Response:
        return _json(document(self._answering.declared, request.scope.get("root_path", "") + PREFIX))

    def _endpoint(self, answer: Callable[[Request, Visit, Person], Response]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            visit = await self._answering.visit(request)
            if visit.person is None:
                return _nobody()
            return await run_in_threadpool(self._careful, answer, request, visit, visit.person)

        return endpoint

    def _acted(self, action: Action[Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            visit = await self._answering.visit(request)
            if visit.person is None:
                return _nobody()
            try:
                body = await request.body()
            except ClientDisconnect:
                return _wrong(Wrong(413, "The body is too large"))

            def answer(request: Request, visit: Visit, person: Person) -> Response:
                if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json" and body:
                    raise Misread("expected a body of type application/json")
                self._answering.check_form(visit, [("csrf", request.headers.get(CSRF_HEADER, ""))])
                asked = from_json(action.asked, request.path_params, body)
                done = self._answering.done(action, person, asked, path_of(request))
                return self._answering.noted(request, _json(done))

            return await run_in_threadpool(self._careful, answer, request, visit, visit.person)

        return endpoint

    def _careful(self, answer: Callable[[Request, Visit, Person], Response], request: Request, visit: Visit,
                 person: Person) -> Response:
        try:
            return answer(request, visit, person)
        except Exception as error:
            if (wrong := self._answering.wrong_of(error)) is None:
                raise
            return _wrong(wrong)


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _wrong(wrong: Wrong) -> Response:
    return _json({"error": wrong.what, "do": wrong.do}, wrong.status)


def _nobody() -> Response:
    response = _wrong(Wrong(401, "Expected a token", "Send it as `Authorization: Bearer …`."))
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def _missing(request: Request) -> Response:
    return _wrong(Wrong(404, "There is nothing of this address", f"{PREFIX}/openapi.json lists what there is."))
