"""A browser's session: a signed cookie, which says who signed in and when, and from which the CSRF token comes.

Nothing of it lies in the store but its end. It ends after some hours, with the token that it began with, and when
somebody signs out; a message for the next page travels in a cookie of its own.
"""

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

from penstock.web.declared import Person
from penstock.web.people import LOCAL, People

SESSION, SAID, THEME, CHANGED = "penstock_session", "penstock_said", "penstock_theme", "penstock_changed"
SECONDS = 12 * 3600
_SAID_BYTES = 1500
_CHANGED_SECONDS = 600
_ENDED = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """`person` is None before somebody signs in, where one has to."""

    id: str
    began: int
    person: Person | None
    fresh: bool = False
    """It is new, so that the browser has to be told of it."""


class Sessions:
    """Reads and writes them. `secret` signs; without one, sessions end with the process."""

    def __init__(self, people: People, secret: str | None, *, now: Callable[[], float] = time.time) -> None:
        self._people = people
        self._key = (secret or secrets.token_urlsafe(32)).encode()
        self._sign = URLSafeSerializer(self._key, salt="penstock session")
        self._sign_said = URLSafeSerializer(self._key, salt="penstock said")
        self._sign_changed = URLSafeSerializer(self._key, salt="penstock changed")
        self._now = now
        self._ended: dict[str, None] = {}
        self._lock = threading.Lock()

    def of(self, request: Request) -> Session:
        """The session that a request brings, or a new one."""
        try:
            id, began, name, mark = self._sign.loads(request.cookies.get(_name(SESSION, request), ""))
        except (BadSignature, ValueError, TypeError):
            return self.begun()
        if not isinstance(began, int) or not 0 <= self._now() - began < SECONDS or id in self._ended:
            return self.begun()
        if not self._people:
            return Session(id, began, LOCAL)
        person = self._people.named(str(name), str(mark)) if name else None
        return self.begun() if name and person is None else Session(id, began, person)

    def begun(self, person: Person | None = None) -> Session:
        """A session with a number of its own: one that existed before signing in is not gone on with."""
        return Session(secrets.token_urlsafe(24), int(self._now()), person if self._people else LOCAL, fresh=True)

    def end(self, session: Session) -> None:
        """Have it not come back in this process, even from a copy of the cookie."""
        with self._lock:
            self._ended[session.id] = None
            while len(self._ended) > _ENDED:
                del self._ended[next(iter(self._ended))]

    def csrf(self, session: Session) -> str:
        """What a form of this session has to bring along."""
        return hmac.new(self._key, f"csrf {session.id}".encode(), "sha256").hexdigest()

    def is_csrf(self, session: Session, given: str) -> bool:
        return hmac.compare_digest(self.csrf(session).encode(), given.encode())

    def write(self, request: Request, response: Response, session: Session) -> None:
        person = session.person
        named = (person.name, self._people.mark(person)) if person is not None and self._people else ("", "")
        value = self._sign.dumps([session.id, session.began, *named])
        response.set_cookie(_name(SESSION, request), value, max_age=SECONDS, **_flags(request))

    def forget(self, request: Request, response: Response) -> None:
        response.delete_cookie(_name(SESSION, request), **_flags(request))

    def say(self, request: Request, response: Response, text: str, *, badly: bool = False) -> None:
        """Have the next page say something."""
        response.set_cookie(_name(SAID, request), str(self._sign_said.dumps([text[:_SAID_BYTES], badly])),
                            max_age=60, **_flags(request))

    def said(self, request: Request) -> tuple[str, bool]:
        """What this page has to say, and whether it is bad news."""
        try:
            text, badly = self._sign_said.loads(request.cookies.get(_name(SAID, request), ""))
        except (BadSignature, ValueError, TypeError):
            return "", False
        return str(text), bool(badly)

    def unsay(self, request: Request, response: Response) -> None:
        if _name(SAID, request) in request.cookies:
            response.delete_cookie(_name(SAID, request), **_flags(request))


    def note_change(self, request: Request, response: Response, mark: int) -> None:
        """Have the browser bring along what a replica has to have replayed to be read."""
        response.set_cookie(_name(CHANGED, request), str(self._sign_changed.dumps(mark)),
                            max_age=_CHANGED_SECONDS, **_flags(request))

    def changed(self, request: Request) -> int:
        """The mark of the last change of this browser; 0 where it brings none."""
        try:
            mark = self._sign_changed.loads(request.cookies.get(_name(CHANGED, request), ""))
        except (BadSignature, ValueError, TypeError):
            return 0
        return mark if isinstance(mark, int) else 0


def _name(name: str, request: Request) -> str:
    """What a cookie is called. Over https browsers take such a name from this host by https alone, and from no other
    name of its domain; with `__Host-` a cookie is for all paths."""
    if request.url.scheme != "https":
        return name
    return f"__Secure-{name}" if request.scope.get("root_path") else f"__Host-{name}"


def _flags(request: Request) -> dict[str, Any]:
    """Of every cookie: no script reads it, forms of other sites do not send it, nor http what came by https."""
    return {"path": request.scope.get("root_path") or "/", "httponly": True, "samesite": "lax",
            "secure": request.url.scheme == "https"}
