"""Signing in with a token, and out again; and the switch between light and dark, which is a cookie as well."""

from contextlib import suppress

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from penstock.domain.errors import StoreError
from penstock.web.answering import Answering, Visit, Wrong, form
from penstock.web.asked import Misread
from penstock.web.declared import Person
from penstock.web.sessions import THEME
from penstock.web.slowing import Slowing

_NOBODY = Person("", frozenset())


class Signing:
    """The endpoints of sessions."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._slowing = Slowing()

    async def sign_in(self, request: Request) -> Response:
        visit = await self._answering.visit(request)
        if visit.session is None or visit.person is not None:
            return RedirectResponse(_within(request, request.query_params.get("to", "")), 303)
        if request.method == "GET":
            return await run_in_threadpool(self._form, request, visit)
        pairs = dict(await form(request))
        try:
            self._answering.check_form(visit, list(pairs.items()))
        except Misread:
            return await run_in_threadpool(self._form, request, visit, 400, "This form was too old. Please try again.")
        address = request.client.host if request.client else ""
        if wait := self._slowing.wait(address):
            response = await run_in_threadpool(
                self._form, request, visit, 429, f"Too many attempts. Try again in {wait} seconds.")
            response.headers["Retry-After"] = str(wait)
            return response
        person = self._answering.people.of_token(pairs.get("token", "").strip())
        if person is None:
            self._slowing.failed(address)
            return await run_in_threadpool(self._form, request, visit, 403, "This token is not known.")
        self._slowing.succeeded(address)
        self._answering.sessions.end(visit.session)
        response = RedirectResponse(_within(request, pairs.get("to", "")), 303)
        self._answering.sessions.write(request, response, self._answering.sessions.begun(person))
        return response

    def _form(self, request: Request, visit: Visit, status: int = 200, fault: str = "") -> Response:
        frame = self._answering.frame(request, visit, _NOBODY)
        model = {"fault": fault, "to": request.query_params.get("to", "")}
        response = HTMLResponse(self._answering.templates.page(frame, "sign_in.html", "Sign in", "", model), status)
        if visit.session is not None and visit.session.fresh:
            self._answering.sessions.write(request, response, visit.session)
        return response

    async def sign_out(self, request: Request) -> Response:
        visit, pairs = await self._answering.visit(request), await form(request)
        if visit.session is None or not self._answering.sessions.is_csrf(visit.session, dict(pairs).get("csrf", "")):
            return await run_in_threadpool(self._answering.said_wrong, request, visit,
                                           Wrong(400, "This form is too old", "Go back and try again."))
        self._answering.sessions.end(visit.session)
        if visit.person is not None and self._answering.people:
            with suppress(StoreError):  # it has ended here, and for this browser
                await run_in_threadpool(self._answering.signed_out.write, visit.person.name, visit.session.id)
        response = RedirectResponse(request.scope.get("root_path", "") + "/sign-in", 303)
        self._answering.sessions.forget(request, response)
        return response

    async def theme(self, request: Request) -> Response:
        """No harm in it, so nobody has to have signed in; who made the request has been looked at."""
        pairs = dict(await form(request))
        response = RedirectResponse(_within(request, pairs.get("to", "")), 303)
        theme = pairs.get("theme", "")
        response.set_cookie(THEME, theme if theme in ("light", "dark") else "", max_age=365 * 86_400, samesite="lax",
                            path=request.scope.get("root_path") or "/", secure=request.url.scheme == "https")
        return response


def _within(request: Request, to: str) -> str:
    """A page of this site to go on with, and never of another: browsers take `//` and `/\\` for a host."""
    plain = to if to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() else "/"
    return str(request.scope.get("root_path", "")) + plain.replace("\\", "/").replace("//", "/")
