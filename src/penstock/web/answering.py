"""Answers requests for pages, files and changes as HTML: who asks, what was asked, what the declaration gives.

Whatever touches the store runs on a thread. A change is made only for a form of this very session, and a page for
somebody who may look at it; what goes wrong is a page as well, which says what to do next.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from penstock.app import Penstock
from penstock.domain.errors import PenstockError, StoreError
from penstock.domain.masking import Masking
from penstock.web.asked import Misread, from_pairs
from penstock.web.declared import Action, Content, Declared, Done, File, Forbidden, NotFound, Person, Seen, View
from penstock.web.frame import Frame
from penstock.web.people import People
from penstock.web.rendering import Templates, title_of
from penstock.web.sessions import SECONDS, THEME, Session, Sessions
from penstock.web.signed_out import SignedOut

if TYPE_CHECKING:
    from penstock.web.live import Live

_log = logging.getLogger("penstock.web")
_MOST_FIELDS = 1200
Answer = Callable[[], Response]
T = TypeVar("T")


@dataclass(frozen=True)
class Visit:
    """Who asks: a browser with its session, or a program with a token."""

    session: Session | None
    person: Person | None


@dataclass(frozen=True)
class Wrong:
    """What went wrong, as people and programs are told."""

    status: int
    what: str
    do: str = ""


class Answering:
    """The pages, files and changes of one site."""

    live: "Live"

    def __init__(self, app: Penstock, people: People, sessions: Sessions, templates: Templates,
                 declared: Declared) -> None:
        self.app, self.people, self.sessions, self.templates = app, people, sessions, templates
        self.declared = declared
        self.replica = app.replica
        self.signed_out = SignedOut(app, SECONDS)
        self._masking = Masking.of(app.settings.web_masked)

    def routes(self) -> list[Route]:
        """What has no parameters goes before what has."""
        found = [*(Route(view.path, self._viewed(view), methods=["GET"]) for view in self.declared.views),
                 *(Route(file.path, self._given(file), methods=["GET"]) for file in self.declared.files),
                 *(Route(action.path, self._acted(action), methods=["POST"]) for action in self.declared.actions)]
        return sorted(found, key=lambda route: route.path.replace("{", "\uffff"))

    def handlers(self) -> Mapping[Any, Callable[[Request, Exception], Any]]:
        async def http(request: Request, error: Exception) -> Response:
            assert isinstance(error, HTTPException)
            what = {404: "There is no page of this address", 405: "This address does not take that"}
            wrong = Wrong(error.status_code, what.get(error.status_code, error.detail))
            return await run_in_threadpool(self.said_wrong, request, await self.visit(request), wrong)

        async def broken(request: Request, error: Exception) -> Response:
            wrong = Wrong(500, "This page could not be made", "The log of the process says why.")
            return await run_in_threadpool(self.said_wrong, request, await self.visit(request), wrong)

        return {HTTPException: http, Exception: broken}

    async def visit(self, request: Request) -> Visit:
        """Who asks. A token goes before a session."""
        if self.replica is not None:
            self.replica.at_least(self.sessions.changed(request))
        if (token := token_of(request)) is not None:
            return Visit(None, self.people.of_token(token))
        session = self.sessions.of(request)
        if self.people and session.person is not None:
            if self.signed_out.is_due:
                await run_in_threadpool(self.signed_out.look)
            if session.id in self.signed_out:
                session = self.sessions.begun()
        return Visit(session, session.person)

    def loaded(self, view: View[Any, Any], person: Person, asked: Any, *, shared: bool = True) -> Any:
        """What a view shows; of one that is live, what others were just shown."""
        if person.scopes.isdisjoint({view.scope}):
            raise Forbidden(view.scope)
        if shared and view.live is not None:
            return self.live.loaded(view, person, asked)
        return self.looked(view, person, asked)

    def looked(self, view: View[Any, Any], person: Person, asked: Any) -> Any:
        """What a view shows, loaded anew."""
        return self.read(lambda app: view.load(Seen(app, person), asked), exact=view.exact)

    def read(self, load: Callable[[Penstock], T], *, exact: bool = False) -> T:
        """What is loaded from the replica, while that may be read, and else from the store itself."""
        if self.replica is not None and not exact and (shown := self.replica.app()) is not None:
            try:
                return load(shown)
            except NotFound:
                pass  # it may have come into being a moment ago
            except StoreError as error:
                self.replica.failed(error)
        return load(self.app)

    def done(self, action: Action[Any], person: Person, asked: Any, where: str) -> Done:
        """Carry out a change for somebody who may, at an address (`where`), between two words in the journal."""
        if action.scope not in person.scopes:
            raise Forbidden(action.scope)
        entry = self.app.journal_begin(person.name, action.path, where)
        try:
            return self._written_down(entry, lambda: action.do(Seen(self.app, person), asked))
        finally:
            if self.replica is not None:
                self.replica.changed()
            self.live.forget()

    def noted(self, request: Request, response: Response) -> Response:
        """Have the browser say, whichever process it asks next, which change a replica has to have."""
        if self.replica is not None:
            self.sessions.note_change(request, response, self.replica.mark)
        return response

    def _written_down(self, entry: int, do: Callable[[], Done]) -> Done:
        try:
            done = do()
        except Exception as error:
            wrong = self.wrong_of(error)
            said = f"{wrong.what}. {wrong.do}" if wrong else f"It broke off: {type(error).__name__}"
            self.app.journal_end(entry, said=said)
            raise
        self.app.journal_end(entry, said=done.said, about=done.about, before=done.before, after=done.after)
        return done

    def _viewed(self, view: View[Any, Any]) -> Callable[[Request], Any]:
        def answer(request: Request, visit: Visit, person: Person) -> Response:
            asked = from_pairs(view.asked, request.path_params, request.query_params.multi_items())
            model = self.loaded(view, person, asked)
            frame = self.frame(request, visit, person, live=view.live)
            html = self.templates.page(frame, view.template, title_of(view, model), view.nav, model, asked)
            response = HTMLResponse(html)
            self.sessions.unsay(request, response)
            return response

        return self._endpoint(answer)

    def _given(self, file: File[Any]) -> Callable[[Request], Any]:
        def answer(request: Request, visit: Visit, person: Person) -> Response:
            if file.scope not in person.scopes:
                raise Forbidden(file.scope)
            asked = from_pairs(file.asked, request.path_params, request.query_params.multi_items())
            return given(self.read(lambda app: file.load(Seen(app, person), asked)))

        return self._endpoint(answer)

    def _endpoint(self, answer: Callable[[Request, Visit, Person], Response]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            visit = await self.visit(request)
            if visit.person is None:
                return self.sent_to_sign_in(request)
            person = visit.person
            return await run_in_threadpool(self._careful, request, visit, lambda: answer(request, visit, person))

        return endpoint

    def _acted(self, action: Action[Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            visit = await self.visit(request)
            if visit.person is None:
                return self.sent_to_sign_in(request)
            person, pairs = visit.person, await form(request)

            def answer() -> Response:
                self.check_form(visit, pairs)
                asked = from_pairs(action.asked, request.path_params, pairs)
                done = self.done(action, person, asked, path_of(request))
                response = RedirectResponse(request.scope.get("root_path", "") + done.to, 303)
                self.sessions.say(request, response, done.said)
                return self.noted(request, response)

            return await run_in_threadpool(self._careful, request, visit, answer)

        return endpoint

    def check_form(self, visit: Visit, pairs: list[tuple[str, str]]) -> None:
        """Raise `Misread` unless a form of this session sent it; a program's token says as much."""
        if visit.session is not None and not self.sessions.is_csrf(visit.session, dict(pairs).get("csrf", "")):
            raise Misread("this form is of another session, or too old: go back, load the page again and repeat it")

    def _careful(self, request: Request, visit: Visit, answer: Answer) -> Response:
        try:
            response = answer()
        except Exception as error:
            wrong = self.wrong_of(error)
            if wrong is None:
                raise
            response = self.said_wrong(request, visit, wrong)
        if visit.session is not None and visit.session.fresh:
            self.sessions.write(request, response, visit.session)
        return response

    def wrong_of(self, error: Exception) -> Wrong | None:
        """What people, and the journal, are told of an error; None for one that nobody foresaw. It may repeat what a
        source or a destination has said."""
        wrong = _wrong_of(error)
        return wrong and replace(wrong, what=self._masking.text(wrong.what), do=self._masking.text(wrong.do))

    def said_wrong(self, request: Request, visit: Visit, wrong: Wrong) -> Response:
        """A page that says what went wrong; to a program that is nobody, a line."""
        person = visit.person or Person("", frozenset())
        frame = self.frame(request, visit, person)
        html = self.templates.page(frame, "wrong.html", wrong.what, "", wrong)
        return HTMLResponse(html, wrong.status)

    def of_replica(self) -> str | None:
        """What a page says of the replica."""
        return None if self.replica is None else self.replica.reading.says

    def frame(self, request: Request, visit: Visit, person: Person, *, live: float | None = None) -> Frame:
        root = request.scope.get("root_path", "")
        said, badly = self.sessions.said(request)
        theme = request.cookies.get(THEME, "")
        return Frame(root=root, path=path_of(request), query=request.url.query, person=person,
                     csrf=self.sessions.csrf(visit.session) if visit.session is not None else "", said=said,
                     said_badly=badly, theme=theme if theme in ("light", "dark") else "", live=live,
                     replica=self.of_replica(),
                     can_sign_out=bool(self.people) and visit.session is not None and visit.person is not None)

    def sent_to_sign_in(self, request: Request) -> Response:
        root = request.scope.get("root_path", "")
        if token_of(request) is not None:
            return HTMLResponse("This token is not known.\n", 401, {"WWW-Authenticate": "Bearer"})
        to = path_of(request) + (f"?{request.url.query}" if request.url.query else "")
        back = f"?to={quote(to, safe='')}" if request.method == "GET" and to not in ("", "/") else ""
        return RedirectResponse(f"{root}/sign-in{back}", 303)


def _wrong_of(error: Exception) -> Wrong | None:
    match error:
        case NotFound():
            return Wrong(404, error.what, error.do)
        case Misread():
            return Wrong(400, "What was asked for could not be understood", str(error))
        case Forbidden():
            return Wrong(403, "You may not do this", f"Your token has not the scope {error.scope}.")
        case StoreError():
            _log.warning("a page could not be made: %s", error)
            return Wrong(503, "The store does not answer as it should", str(error))
        case PenstockError():
            return Wrong(409, "This was refused", str(error))
    return None


def given(content: Content) -> Response:
    name = quote(content.name, safe="")
    return Response(content.body, media_type=content.media_type,
                    headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"})


def path_of(request: Request) -> str:
    """The path of a request within the site."""
    root = str(request.scope.get("root_path", ""))
    return str(request.scope["path"]).removeprefix(root) or "/"


def token_of(request: Request) -> str | None:
    """The token that a program brings."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


async def form(request: Request) -> list[tuple[str, str]]:
    """The fields of a form, without files. Raises `HTTPException`."""
    try:
        async with request.form(max_files=0, max_fields=_MOST_FIELDS) as found:
            return [(name, value) for name, value in found.multi_items() if isinstance(value, str)]
    except ClientDisconnect:
        raise HTTPException(413, "the form is too large") from None
