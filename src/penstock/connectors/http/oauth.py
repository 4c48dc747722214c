"""OAuth 2.0 client credentials (RFC 6749 §4.4): a token is fetched once, kept, and renewed before it expires.

However many threads and clients share the object, one of them fetches at a time: while the present token is still
good the others go on with it, and when it is not they wait for the new one.
"""

import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode

import msgspec

from penstock.connectors.http.auth import Exchange, checked
from penstock.connectors.http.faults import whole_call_fault
from penstock.connectors.http.redaction import Secrets
from penstock.connectors.http.reply import Reply
from penstock.connectors.http.sending import url_faults, without_query
from penstock.domain.errors import ConfigurationError, DestinationError, Throttled, Unavailable

EARLY_SECONDS = 60.0
"""How long before its end a token is renewed; of a short life, its last quarter."""

AGAIN_SECONDS = 5.0
"""How long a renewal that failed is left alone while the present token is still good."""


@dataclass(slots=True)
class _Token:
    """`renew_at` and `ends_at` are seconds of the clock; without an end it lasts until it is refused."""

    value: str = field(repr=False)
    renew_at: float
    ends_at: float

    @property
    def header(self) -> str:
        return f"Bearer {self.value}"


class ClientCredentials:
    """Credentials that fetch their tokens at `token_url`. Keep one object for as long as the account lives.

        AUTH = http.ClientCredentials("https://login.example.com/token", client_id="…", client_secret="…")

    `scope` is what the tokens are to be good for; `extra` are further fields of the token request, such as
    `{"audience": "…"}`. `secret_in_body` sends id and secret as fields, for servers that cannot read them from the
    Authorization header. `clock` tells seconds that never go back. Raises ConfigurationError, listing every fault.
    """

    def __init__(self, token_url: str, *, client_id: str, client_secret: str, scope: str | None = None,
                 extra: Mapping[str, str] | None = None, secret_in_body: bool = False,
                 clock: Callable[[], float] = time.monotonic) -> None:
        faults = url_faults("http.ClientCredentials", "the URL of the token endpoint", token_url, query=True)
        for what, value in (("a client_id", client_id), ("a client_secret", client_secret)):
            if not isinstance(value, str) or not value.strip():
                faults.append(f"http.ClientCredentials: expected {what}, got none; check how it was read")
        if faults:
            raise ConfigurationError(faults)
        client_id, client_secret = client_id.strip(), client_secret.strip()
        encoded = b64encode(f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()).decode()
        fields = {"grant_type": "client_credentials", **({"scope": scope} if scope else {}), **(extra or {})}
        self._headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        if secret_in_body:
            fields |= {"client_id": client_id, "client_secret": client_secret}
        else:
            self._headers["Authorization"] = f"Basic {encoded}"
        self.secrets = Secrets([client_secret, encoded])
        self._url = token_url
        self._client_id = client_id
        self._body = urlencode(fields).encode()
        self._clock = clock
        self._fetching = threading.Lock()
        self._changing = threading.Lock()
        self._token: _Token | None = None

    def __repr__(self) -> str:
        return f"http.ClientCredentials({without_query(self._url)!r}, client_id={self._client_id!r})"

    def headers(self, exchange: Exchange) -> Mapping[str, str]:
        """The header with a token that is good now. Raises `Unavailable` (nothing was sent) or `Throttled`."""
        return {"Authorization": self._good(exchange).header}

    def refused(self, headers: Mapping[str, str]) -> bool:
        """Forget the token that was refused, unless it has been replaced already. Another may be had."""
        with self._changing:
            if self._token is not None and self._token.header == headers.get("Authorization"):
                self._token = None
        return True

    def _good(self, exchange: Exchange) -> _Token:
        token, now = self._token, self._clock()
        if token is not None and now < token.renew_at:
            return token
        still_good = token is not None and now < token.ends_at
        if not self._fetching.acquire(timeout=0 if still_good else max(exchange.left(), 0)):
            if token is not None and still_good:
                return token  # somebody else renews it
            raise Unavailable("another thread has waited for a token all the time that this call has; nothing was sent,"
                              " try again later", sent=False)
        try:
            token, now = self._token, self._clock()
            if token is not None and now < token.renew_at:
                return token  # somebody else has renewed it meanwhile
            try:
                fetched = self._fetch(exchange, now)
            except DestinationError:
                if token is None or self._clock() >= token.ends_at:
                    raise
                token.renew_at = now + AGAIN_SECONDS
                return token
            self.secrets.add(fetched.value)
            with self._changing:
                self._token = fetched
            return fetched
        finally:
            self._fetching.release()

    def _fetch(self, exchange: Exchange, asked_at: float) -> _Token:
        reply = exchange.post(self._url, self._body, self._headers, self.secrets)
        fault = whole_call_fault(reply) if reply.status not in (401, 407) else None
        if isinstance(fault, Throttled):
            raise fault
        if fault is not None or not reply.ok:
            raise self._refusal(reply)
        answer = _decoded(reply)
        value, kind = answer.get("access_token"), answer.get("token_type", "bearer")
        try:
            value = checked("", "", value)
        except ConfigurationError:
            value = None
        # The answer itself is never shown: it may hold a token under another name.
        if value is None or not isinstance(kind, str) or kind.lower() != "bearer":
            raise Unavailable(f"{reply.call}: expected a JSON object with a bearer token in access_token, got status"
                              f" {reply.status} without one; check the URL of the token endpoint", sent=False)
        life = _seconds(answer.get("expires_in"))
        return _Token(value, asked_at + life - min(EARLY_SECONDS, life / 4), asked_at + life)

    def _refusal(self, reply: Reply) -> Unavailable:
        """Only what RFC 6749 §5.2 has for people is repeated."""
        answer = _decoded(reply)
        error, detail = (answer.get(name) for name in ("error", "error_description"))
        words = [self.secrets.redacted(word)[:200] for word in (error, detail) if isinstance(word, str)]
        return Unavailable(f"{reply.call}: expected a token, got status {reply.status}"
                           f"{' (' + ': '.join(words) + ')' if words else ''}; check client_id, client_secret and"
                           " scope, and that the token endpoint is up", sent=False, retry_after=reply.retry_after())


def _decoded(reply: Reply) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(reply.body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _seconds(value: object) -> float:
    """`expires_in`; some servers write it as text. Without one the token lasts until it is refused."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value:
        return max(float(value), 0.0)
    return float("inf")
