"""Who asks: credentials that stay as they are. What they consist of is shown nowhere."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Protocol

from penstock.connectors.http.redaction import Secrets
from penstock.connectors.http.reply import Reply
from penstock.domain.errors import ConfigurationError


class Exchange(Protocol):
    """What credentials may use to get themselves: requests that are not authorised, within the time of one call."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str], secrets: Secrets) -> Reply:
        """Send a form to another URL and give the answer, whatever its status. Raises `Unavailable`."""

    def left(self) -> float:
        """The seconds that are left of the call's time."""


class Auth(Protocol):
    """Credentials of a client. One object may serve many clients and threads."""

    @property
    def secrets(self) -> Secrets:
        """What no message may show."""

    def headers(self, exchange: Exchange) -> Mapping[str, str]:
        """The headers that authorise one request. Raises `Unavailable` or `Throttled` where none are to be had."""

    def refused(self, headers: Mapping[str, str]) -> bool:
        """Told that the destination refused these (401); whether others may be had at once."""


class _Fixed:
    def __init__(self, headers: Mapping[str, str], secrets: Iterable[str]) -> None:
        self._headers = dict(headers)
        self.secrets = Secrets(secrets)

    def __repr__(self) -> str:
        return f"http.{type(self).__name__}({', '.join(self._headers)}: …)"

    def headers(self, exchange: Exchange) -> Mapping[str, str]:
        return self._headers

    def refused(self, headers: Mapping[str, str]) -> bool:
        return False


class Bearer(_Fixed):
    """A token that does not change (RFC 6750). Raises ConfigurationError for what can be none."""

    def __init__(self, token: str) -> None:
        token = checked("http.Bearer", "a token", token)
        super().__init__({"Authorization": f"Bearer {token}"}, [token])


class Basic(_Fixed):
    """A name and a password (RFC 7617), in UTF-8. Raises ConfigurationError for a name with a colon in it."""

    def __init__(self, name: str, password: str) -> None:
        if not isinstance(name, str) or ":" in name or not isinstance(password, str):
            raise ConfigurationError("http.Basic: expected a name without a colon and a password, as text, got others")
        encoded = b64encode(f"{name}:{password}".encode()).decode()
        # Where there is no password, as some APIs have it, the name is the key.
        super().__init__({"Authorization": f"Basic {encoded}"}, [password or name, encoded])


class ApiKey(_Fixed):
    """A key in a header of its own. Raises ConfigurationError for what can be none."""

    def __init__(self, key: str, *, header: str = "X-API-Key") -> None:
        key = checked("http.ApiKey", "a key", key)
        super().__init__({checked("http.ApiKey", "the name of a header", header): key}, [key])


def checked(owner: str, what: str, value: object) -> str:
    """A value as a header can carry it, without the white space that files and shells leave around it."""
    text = value.strip() if isinstance(value, str) else ""
    if text and text.isascii() and text.isprintable():
        return text
    got = f"{type(value).__name__}" if not isinstance(value, str) else "others" if text else "none"
    raise ConfigurationError(f"{owner}: expected {what} of printable ASCII characters, got {got}; check how it"
                             " was read")
