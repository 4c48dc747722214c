"""How the arguments of one task travel where they are no plain object: which version they are of, how those of an older
one are made to fit, and with which keys they are sealed.

What is opened for an attempt is plain again, and of the version that the task declares: nothing beyond knows of
envelopes.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from penstock.domain.envelope import FIRST_VERSION, Context, Header, Sealer, unwrapped, wrapped
from penstock.domain.errors import DeclarationError, InvalidArguments, NewerArguments
from penstock.queue.arguments.sealing import Keyring, missing
from penstock.queue.attempt import Attempt
from penstock.queue.context import noted

Upgrade = Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]
"""By version, the function that makes arguments of it into those of the next one."""

SEALED_RESULT = "sealed "
"""What no JSON begins with."""
_encoder = msgspec.json.Encoder()


class Packing:
    """The declared version of one task's arguments. Raises `DeclarationError` with every fault."""

    def __init__(self, task: str, version: int | None = None, upgrade: Upgrade | None = None, encrypt: bool = False,
                 keyring: Keyring | None = None) -> None:
        faults = []
        given: object = version
        if given is not None and (type(given) is not int or not FIRST_VERSION <= given < 2**31):
            faults.append(f"version: expected a whole number of at least {FIRST_VERSION}, got {version!r}")
            version = None
        self.version = version or FIRST_VERSION
        faults += _upgrade_faults(upgrade, self.version)
        if encrypt and keyring is None:
            faults.append("encrypt: expected an app with keys, got one without: set PENSTOCK_ENCRYPTION_KEYS, or give"
                          " it encryption=Keyring(…)")
        if faults:
            raise DeclarationError([f"task {task}: {fault}" for fault in faults])
        self._task = task
        self._upgrade = dict(upgrade or {})
        self._keyring = keyring
        self.sealer: Sealer | None = keyring if encrypt else None
        self.unique_secret = keyring.unique_secret() if keyring is not None and encrypt else b""

    @property
    def is_plain(self) -> bool:
        """Whether arguments are kept as they are, unless a context goes with them."""
        return self.version == FIRST_VERSION and self.sealer is None

    def packed(self, arguments: str, context: Context) -> str:
        """What is kept of arguments, before they are sealed."""
        if not context and self.version == FIRST_VERSION:
            return arguments
        return wrapped(Header(v=self.version, ctx=dict(context)), arguments)

    def unsealed(self, job_id: int, text: str) -> tuple[Header, str]:
        """The header and the plain arguments of a job, of whatever version.

        Raises `ArgumentsHeld` for what only another worker can read, else `InvalidArguments`.
        """
        try:
            header, body = unwrapped(text)
        except InvalidArguments as error:
            raise InvalidArguments(f"{self._task}: {error}") from None
        if header.key is None:
            return header, body
        if self._keyring is None:
            raise missing(header.key, None)
        return unwrapped(self._keyring.opened(self._task, job_id, text))

    def result_packed(self, job_id: int, text: str) -> str:
        """What is kept of a result (as JSON): with sealed arguments it is sealed too."""
        if self.sealer is None:
            return text
        return SEALED_RESULT + self.sealer.sealed(f"{self._task}\0result", job_id, text)

    def result_opened(self, job_id: int, text: str) -> str:
        """A result as JSON. Raises `MissingKey` and `SealBroken`."""
        if not text.startswith(SEALED_RESULT):
            return text
        sealed = text.removeprefix(SEALED_RESULT)
        if self._keyring is None:
            raise missing(unwrapped(sealed)[0].key, None)
        return self._keyring.opened(f"{self._task}\0result", job_id, sealed)

    def upgraded(self, version: int, body: str) -> str:
        """Arguments of some version as the declared one has them. Raises as `unsealed` does, and as upgrades do."""
        if version == self.version:
            return body
        if version > self.version:
            raise NewerArguments(f"{self._task}: its arguments are of version {version}, and this code knows them up to"
                                 f" {self.version}: newer code enqueued the job, which waits for a worker that has it")
        arguments = msgspec.json.decode(body, type=dict[str, Any])
        for step in range(version, self.version):
            if step not in self._upgrade:
                raise InvalidArguments(f"{self._task}: its arguments are of version {version}, which nothing upgrades:"
                                       f" expected upgrade={{{step}: …}} to make them fit version {step + 1}")
            arguments = self._upgrade[step](arguments)
            if not isinstance(arguments, dict):
                raise InvalidArguments(f"{self._task}: upgrade={{{step}: …}}: expected a dict of arguments by name, got"
                                       f" {type(arguments).__name__}")
        return _encoder.encode(arguments).decode()


def open_arguments(attempt: Attempt, packing: Packing) -> None:
    """Give an attempt its context, and its arguments as the body takes them.

    Raises what `Packing.unsealed` and `Packing.upgraded` raise.
    """
    job = attempt.job
    header, arguments = packing.unsealed(job.id, job.arguments)
    attempt.context = noted(header.ctx)
    attempt.job = msgspec.structs.replace(job, arguments=arguments)  # an upgrade that fails may quote them
    attempt.job = msgspec.structs.replace(job, arguments=packing.upgraded(header.v, arguments))


def _upgrade_faults(upgrade: object, version: int) -> list[str]:
    if upgrade is None:
        return []
    if not isinstance(upgrade, Mapping):
        return [f"upgrade: expected a function for each older version, as in upgrade={{1: from_1}}, got {upgrade!r}"]
    faults = [f"upgrade: expected versions from {FIRST_VERSION} to {version - 1}, below version={version}, got {each!r}"
              for each in upgrade if type(each) is not int or not FIRST_VERSION <= each < version]
    return faults + [f"upgrade: version {each}: expected a function of the arguments, got {step!r}"
                     for each, step in upgrade.items() if not callable(step)]


