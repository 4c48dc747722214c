"""Who may come in: tokens, which are kept as hashes, and what each of them may do.

A token is drawn from 256 random bits, so that its SHA-256 cannot be guessed back: no slow hash is needed for what is
no password. It is compared with every hash in the same time, whichever it is.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.domain.errors import ConfigurationError
from penstock.web.declared import SCOPES, Person

PREFIX = "penstock_"
LOCAL = Person("local", frozenset(SCOPES))
"""Whoever is on this machine, where the site is for nobody else and has no tokens."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class People:
    """Those with a token, by its hash; nobody where the site is open to whoever reaches it."""

    by_hash: Mapping[str, Person]

    @classmethod
    def read(cls, listed: str | None) -> "People":
        """From the setting `web_tokens`: `NAME=SCOPE+SCOPE:HASH`, divided by commas. Raises `ConfigurationError`."""
        found: dict[str, Person] = {}
        faults: list[str] = []
        for entry in filter(None, (each.strip() for each in re.split(r"[,\n]", listed or ""))):
            name, _, rest = entry.partition("=")
            scopes, _, digest = rest.partition(":")
            wanted = frozenset(filter(None, scopes.split("+")))
            if not _NAME.fullmatch(name) or not _HASH.fullmatch(digest) or not wanted:
                faults.append(f"web_tokens: {name[:64]!r}: expected NAME=SCOPE+SCOPE:HASH, as"
                              " `penstock web --new-token NAME` prints it")
            elif unknown := sorted(wanted - set(SCOPES)):
                faults.append(f"web_tokens: {name}: unknown scope {unknown[0]!r}: expected {', '.join(SCOPES)}")
            elif any(person.name == name for person in found.values()):
                faults.append(f"web_tokens: {name}: there are two of this name")
            else:
                found[digest] = Person(name, wanted | {"read"})
        if faults:
            raise ConfigurationError(faults)
        return cls(found)

    def __bool__(self) -> bool:
        return bool(self.by_hash)

    def of_token(self, token: str) -> Person | None:
        """Whose token this is; every hash is looked at."""
        digest, found = hashed(token), None
        for known, person in self.by_hash.items():
            if hmac.compare_digest(known, digest):
                found = person
        return found

    def named(self, name: str, mark: str) -> Person | None:
        """Whose session this is: of that name, and still with the token that the session began with."""
        for known, person in self.by_hash.items():
            if person.name == name and hmac.compare_digest(mark_of(known), mark):
                return person
        return None

    def mark(self, person: Person) -> str:
        """What a session keeps of a person's token, so that it ends with it."""
        return next(mark_of(known) for known, each in self.by_hash.items() if each == person)


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def mark_of(digest: str) -> str:
    return hashlib.sha256(f"session of {digest}".encode()).hexdigest()[:16]


def new_token(name: str, scopes: tuple[str, ...]) -> tuple[str, str]:
    """A token, and what `web_tokens` says of it. Raises `ConfigurationError` for a name or a scope that cannot be."""
    token = PREFIX + secrets.token_urlsafe(32)
    entry = f"{name}={'+'.join(scopes)}:{hashed(token)}"
    People.read(entry)
    return token, entry
