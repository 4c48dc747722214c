"""Sealed arguments: encrypted and authenticated, for one job each, by AES-256-GCM with a key of the app's keyring.

The invariant: a sealed text opens for the task and the number of the job that it was sealed for, and for nothing else.
Each job has a key of its own, derived from the one that its header names, so no key ever seals two texts.
"""

import os
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from penstock.domain.envelope import Header, unwrapped, wrapped
from penstock.domain.errors import ConfigurationError, MissingKey, SealBroken

_KEY_BYTES = 32
_NONCE_BYTES = 12
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Keyring:
    """Keys by their names: the first one seals, all of them open.

    A key is 32 random bytes, as they are or in base64: `Keyring.new_key()` makes one. The last one also makes the
    unique keys of what is sealed, so that they stay the same when a key is put before it. Raises `ConfigurationError`,
    which never shows a key.
    """

    def __init__(self, keys: Mapping[str, str | bytes]) -> None:
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError:
            raise ConfigurationError("encryption needs the package cryptography: pip install 'penstock[encryption]'"
                                     ) from None
        self._keys: dict[str, bytes] = {}
        faults = [] if keys else ["encryption: expected at least one key, got none"]
        for name, given in keys.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                faults.append(f"encryption: expected a key's name to be 1 to 64 of A-Z a-z 0-9 _ . -, got {name!r}")
            elif (key := _key(given)) is None:
                faults.append(f"encryption: key {name!r}: expected {_KEY_BYTES} bytes, or base64 of so many, got"
                              " something else: Keyring.new_key() makes one")
            else:
                self._keys[name] = key
        if faults:
            raise ConfigurationError(faults)
        self._cipher: Any = AESGCM
        self._broken: type[Exception] = InvalidTag
        self.first = next(iter(self._keys))
        self._last = next(reversed(self._keys.values()))

    @classmethod
    def read(cls, text: str) -> "Keyring":
        """A keyring from the setting `encryption_keys`: `name:base64`, divided by commas, the one that seals first."""
        parts = [part.strip().partition(":") for part in text.split(",") if part.strip()]
        if len({name for name, _, _ in parts}) < len(parts):
            raise ConfigurationError("encryption_keys: expected each key under a name of its own, got one name twice")
        return cls({name.strip(): key.strip() for name, _, key in parts})

    @staticmethod
    def new_key() -> str:
        """A new key, in base64."""
        return b64encode(os.urandom(_KEY_BYTES)).decode()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def __repr__(self) -> str:
        return f"<Keyring {', '.join(self._keys)}>"

    def sealed(self, task: str, job_id: int, text: str) -> str:
        """A text in an envelope that opens for this job alone."""
        about = _about(task, job_id)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher(_derived(self._keys[self.first], about)).encrypt(nonce, text.encode(), about)
        return wrapped(Header(key=self.first), f'"{b64encode(nonce + sealed).decode()}"')

    def opened(self, task: str, job_id: int, text: str) -> str:
        """What was sealed for a job. Raises `MissingKey` and `SealBroken`."""
        header, body = unwrapped(text)
        key = self._keys.get(header.key or "")
        if key is None:
            raise missing(header.key, self)
        about = _about(task, job_id)
        try:
            raw = b64decode(msgspec.json.decode(body, type=str), validate=True)
            opened: bytes = self._cipher(_derived(key, about)).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], about)
            return opened.decode()
        except (self._broken, ValueError, msgspec.MsgspecError):
            raise SealBroken(f"job {job_id} of {task}: its arguments do not open with the key {header.key!r} that they"
                             " name: they were changed, or belong to another job; enqueue it anew") from None

    def unique_secret(self) -> bytes:
        """What unique keys of sealed arguments are made with, so that they do not tell which arguments are equal to
        known ones."""
        return _derived(self._last, b"unique")


def missing(name: str | None, keyring: Keyring | None) -> MissingKey:
    """The error of a job whose key is not here."""
    has = "has no keys" if keyring is None else f"has {', '.join(keyring.names)}"
    return MissingKey(f"its arguments are sealed with the key {name!r}, and this app {has}: add it to the keyring"
                      " (PENSTOCK_ENCRYPTION_KEYS); the job waits for a worker that has it")


def _about(task: str, job_id: int) -> bytes:
    return f"penstock\0{task}\0{job_id}".encode()


def _derived(key: bytes, about: bytes) -> bytes:
    return blake2b(about, digest_size=32, key=key, person=b"penstock.seal.1").digest()


def _key(given: object) -> bytes | None:
    if isinstance(given, str):
        try:
            given = b64decode(given, validate=True)
        except ValueError:
            return None
    return given if isinstance(given, bytes) and len(given) == _KEY_BYTES else None
