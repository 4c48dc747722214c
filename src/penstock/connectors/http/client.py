"""The client of one API, for one account: one pool of connections, its credentials, and calls that belong to a run.

Every call is counted in its run once it may have left, and given up before the run's lease ends.
"""

import ssl
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack
from urllib.parse import urlencode

import msgspec

from penstock.connectors.http.auth import Auth, checked
from penstock.connectors.http.faults import whole_call_fault
from penstock.connectors.http.links import next_url
from penstock.connectors.http.paging import Total, by_cursor, by_link, by_offset
from penstock.connectors.http.redaction import Secrets
from penstock.connectors.http.reply import Reply, at
from penstock.connectors.http.routes import filled
from penstock.connectors.http.sending import Countdown, pool_for, send, url_faults, without_query
from penstock.domain.errors import ConfigurationError, Unavailable
from penstock.domain.records import Complete
from penstock.sync.declaring.ports import Run

LIMITED = (429, 503)
READS = ("GET", "HEAD", "OPTIONS")
SECRET_HEADERS = ("auth", "key", "token", "secret", "password", "cookie", "signature")
_KEY_CHARACTERS = 200

Param = str | int | float | bool | None
Params = Mapping[str, Param | Sequence[Param]]


class Options(TypedDict, total=False):
    """What a call may be given beside its route.

    `params` go into the query (those that are None are left out); `json`, `form` or `content` is the body; `headers`
    are this call's own; `idempotency_key` goes into the client's header for it; `writes` says whether the call may
    change anything, where its method does not tell (a search by POST); `timeout` is in seconds.
    """

    params: Params
    json: Any
    form: Mapping[str, str]
    content: bytes
    headers: Mapping[str, str]
    idempotency_key: str | None
    writes: bool
    timeout: float


def connect(url: str, *, auth: Auth | None = None, headers: Mapping[str, str] | None = None, timeout: float = 30.0,
            idempotency_header: str = "Idempotency-Key", verify: ssl.SSLContext | None = None,
            limit: AbstractContextManager[object] | None = None) -> "Client":
    """A client of the API at the base `url`, to be used in a `with` statement, as `Sync.connect` has it.

    `auth` is `Bearer`, `Basic`, `ApiKey` or `ClientCredentials`; `headers` go with every call, and are kept out of
    messages where their names say that they are secret. `timeout` is in seconds, and bounds a call as a whole.
    `verify` is a context with authorities of one's own. `limit`, as `app.limit("crm")` gives it, has every request
    spend its permits, and a 429 or 503 close its gate; what a run's own limits say is spent without it. Raises
    ConfigurationError, listing every fault.
    """
    faults = url_faults("http.connect", "the base URL of an API", url)
    sent = {"User-Agent": "penstock", "Accept": "application/json"}
    for name, value in {**(headers or {}), idempotency_header: "-"}.items():
        try:
            plain = checked("http.connect", "names of headers", name)
            sent[plain] = checked(f"http.connect: header {plain!r}", "a value", value)
        except ConfigurationError as error:
            faults += error.faults
    if auth is not None and not (hasattr(auth, "headers") and hasattr(auth, "secrets")):
        faults.append(f"http.connect: expected auth to be http.Bearer(…), Basic, ApiKey or ClientCredentials, got"
                      f" {type(auth).__name__}")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        faults.append(f"http.connect: expected a timeout in seconds above 0, got {timeout!r}")
    if faults:
        raise ConfigurationError(faults)
    sent.pop(idempotency_header)
    return Client(url, auth=auth, headers=sent, timeout=timeout, idempotency_header=idempotency_header, verify=verify,
                  limit=limit)


class Client:
    """Calls one API. Made by `connect`; any number of threads may share it.

    The first argument of every call is the run that it belongs to: it counts the call in `run.calls`, and `remaining()`
    says how long its lease holds, of which a call takes at most half. (None is for what belongs to no run, such as
    `subjects()`.) A route may hold `{}` for ids, which follow it: `client.get(run, "/people/{}", person_id)`.
    """

    def __init__(self, url: str, *, auth: Auth | None, headers: Mapping[str, str], timeout: float,
                 idempotency_header: str, verify: ssl.SSLContext | None,
                 limit: AbstractContextManager[object] | None = None) -> None:
        self._limit = limit
        self.timeout = timeout
        self.shown = without_query(url)
        self._base = url.rstrip("/")
        self._auth = auth
        self._idempotency_header = idempotency_header
        own = [value for name, value in headers.items() if any(word in name.lower() for word in SECRET_HEADERS)]
        self._secrets = Secrets(own, *([] if auth is None else [auth.secrets]))
        self._pool = pool_for(url, headers, verify)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<http.Client {self.shown}>"

    def close(self) -> None:
        """Close every connection. Closing twice does nothing more."""
        self._pool.close()

    def get(self, run: Run | None, route: str, *ids: object, **options: Unpack[Options]) -> Reply:
        return self.request(run, "GET", route, *ids, **options)

    def post(self, run: Run | None, route: str, *ids: object, **options: Unpack[Options]) -> Reply:
        return self.request(run, "POST", route, *ids, **options)

    def put(self, run: Run | None, route: str, *ids: object, **options: Unpack[Options]) -> Reply:
        return self.request(run, "PUT", route, *ids, **options)

    def patch(self, run: Run | None, route: str, *ids: object, **options: Unpack[Options]) -> Reply:
        return self.request(run, "PATCH", route, *ids, **options)

    def delete(self, run: Run | None, route: str, *ids: object, **options: Unpack[Options]) -> Reply:
        return self.request(run, "DELETE", route, *ids, **options)

    def request(self, run: Run | None, method: str, route: str, *ids: object, **options: Unpack[Options]) -> Reply:
        """Make one call and give its answer, if it is one for the call's records to judge: a success, 304, or a 4xx.

        Raises `Throttled` for a 429, and for a 503 that says how long to wait; `Unavailable` for any other trouble of
        the whole call; `Refused` for an id that no path can hold. A 401 has credentials that can be renewed be renewed,
        and the call made once more.
        """
        return self._call(run, method, route, self._url(route, ids, options.get("params", {})), options)

    def by_cursor(self, run: Run | None, route: str, *ids: object, items: str, cursor: str | Callable[[Any], Any],
                  param: str = "cursor", more: str | None = None, total: Total | None = None,
                  omitted_at_end: bool = False, **options: Unpack[Options]) -> Generator[Any, None, Complete | None]:
        """Every item of a list whose pages each name a cursor for the next one. See `paging.by_cursor`."""
        params = options.pop("params", {})

        def page(value: str | None) -> Reply:
            url = self._url(route, ids, params if value is None else {**params, param: value})
            return self._call(run, "GET", route, url, options)

        return by_cursor(run, page, items=items, cursor=cursor, more=more, total=total, omitted_at_end=omitted_at_end)

    def by_offset(self, run: Run | None, route: str, *ids: object, items: str, size: int = 100, offset: str = "offset",
                  limit: str = "limit", first: int = 0, total: Total | None = None, identity: str | None = None,
                  **options: Unpack[Options]) -> Generator[Any, None, Complete | None]:
        """Every item of a list that is asked for by how many to pass over. See `paging.by_offset`.

        `identity` is the field that tells items apart, with dots between those within others.
        """
        params = options.pop("params", {})

        def page(start: int) -> Reply:
            url = self._url(route, ids, {**params, offset: first + start, limit: size})
            return self._call(run, "GET", route, url, options)

        known = None if identity is None else lambda item: at(item, identity)
        return by_offset(run, page, items=items, total=total, identity=known)

    def by_link(self, run: Run | None, route: str, *ids: object, items: str = "", total: Total | None = None,
                **options: Unpack[Options]) -> Generator[Any, None, Complete | None]:
        """Every item of a list whose pages link to the next one (RFC 8288). See `paging.by_link`."""
        first = self._url(route, ids, options.pop("params", {}))

        def page(url: str) -> Reply:
            return self._call(run, "GET", route, url, options)

        return by_link(run, first, page, lambda reply, url: next_url(reply, url, self._base), items=items, total=total)

    def _url(self, route: str, ids: tuple[object, ...], params: Params) -> str:
        query = _query(params)
        return self._base + filled(route, ids) + (f"?{query}" if query else "")

    def _call(self, run: Run | None, method: str, route: str, url: str, options: Options) -> Reply:
        writes = options.get("writes", method not in READS)
        body, headers = self._body(options)
        call = f"{method} {route}"
        countdown = Countdown(self._seconds(run, call, options.get("timeout", self.timeout)))
        authorised = self._authorised(countdown)
        reply = self._sent(run, call, method, url, body, {**headers, **authorised}, countdown, writes)
        if reply.status == 401 and self._auth is not None and self._auth.refused(authorised):
            authorised = self._authorised(countdown)
            reply = self._sent(run, call, method, url, body, {**headers, **authorised}, countdown, writes)
        fault = whole_call_fault(reply)
        if fault:
            raise fault
        return reply

    def _sent(self, run: Run | None, call: str, method: str, url: str, body: bytes | None, headers: Mapping[str, str],
              countdown: Countdown, writes: bool) -> Reply:
        try:
            with self._permitted(run, call, countdown):
                reply = send(self._pool, call, method, url, body=body, headers=headers, countdown=countdown,
                             writes=writes, secrets=self._secrets)
                if reply.status in LIMITED and (fault := whole_call_fault(reply)):
                    raise fault
                return reply
        finally:
            if run is not None:
                run.calls.read += countdown.began and not writes
                run.calls.write += countdown.began and writes

    @contextmanager
    def _permitted(self, run: Run | None, call: str, countdown: Countdown) -> Iterator[None]:
        """Leave for one request. To wait for it takes nothing from the request's own time."""
        left = countdown.left()
        with ExitStack() as stack:
            if run is not None:
                stack.enter_context(run.permits.request())
            if self._limit is not None:
                stack.enter_context(self._limit)
            if run is not None or self._limit is not None:
                countdown.until = time.monotonic() + self._seconds(run, call, left)
            yield

    def _seconds(self, run: Run | None, call: str, timeout: float) -> float:
        """How long a call may take: half of what the lease has left, so that it is over before somebody else looks."""
        seconds = timeout if run is None else min(timeout, run.remaining() / 2)
        if seconds <= 0:
            raise Unavailable(f"{call}: the run's lease leaves no time for it; nothing was sent", sent=False)
        return seconds

    def _authorised(self, countdown: Countdown) -> Mapping[str, str]:
        return {} if self._auth is None else self._auth.headers(_Exchange(self._pool, countdown))

    def _body(self, options: Options) -> tuple[bytes | None, dict[str, str]]:
        headers = dict(options.get("headers") or {})
        given = [name for name in ("json", "form", "content") if name in options]
        if len(given) > 1:
            raise ConfigurationError(f"expected one body for a call, got {' and '.join(given)}")
        if key := options.get("idempotency_key"):
            headers[self._idempotency_header] = _plain(key)
        if "json" in options:
            return msgspec.json.encode(options["json"]), {"Content-Type": "application/json", **headers}
        if "form" in options:
            return urlencode(options["form"]).encode(), {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return options.get("content"), headers


@dataclass(frozen=True, slots=True)
class _Exchange:
    """How credentials get themselves: over the client's pool, in the time of the call that needs them."""

    pool: Any
    countdown: Countdown

    def post(self, url: str, body: bytes, headers: Mapping[str, str], secrets: Secrets) -> Reply:
        return send(self.pool, f"POST {without_query(url)}", "POST", url, body=body, headers=headers,
                    countdown=self.countdown, writes=False, secrets=secrets)

    def left(self) -> float:
        return self.countdown.left()


def _query(params: Params) -> str:
    """The query of a URL; of what is None nothing."""
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        for each in [value] if value is None or isinstance(value, str | int | float) else value:
            if each is not None:
                pairs.append((name, str(each).lower() if isinstance(each, bool) else str(each)))
    return urlencode(pairs)


def _plain(key: str) -> str:
    """An idempotency key as a header can carry it: itself, or a digest that is the same for the same key."""
    if key.isascii() and key.isprintable() and len(key) <= _KEY_CHARACTERS and key == key.strip():
        return key
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
