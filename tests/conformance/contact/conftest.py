"""Engines of syncs with a depot that holds parcels already, and can be read."""

from collections.abc import Generator, Sequence
from typing import Any

from penstock.sync import Change, Complete, Run
from tests.conformance.applying.conftest import Opened, Post, post
from tests.conformance.applying.depot import Depot

__all__ = ["Opened", "Post", "post"]


class Readable(Depot):
    """A depot that can be read, in pages of two; it shouts back what is in `shouts`, and breaks after `breaks` pages.
    """

    def __init__(self, **capabilities: Any) -> None:
        self.reads = 0
        self.breaks: int | None = None
        self.shouts: frozenset[str] = frozenset()
        super().__init__(**capabilities)

    def hold(self, *addresses: str, weight: int = 1) -> None:
        """Somebody puts parcels here by hand, under the ids h1, h2, …"""
        for address in addresses:
            number = sum(id.startswith("h") for id in self.records) + 1
            self.records[f"h{number}"] = {"address": address, "weight": weight}

    def held(self, remote_id: str) -> dict[str, Any]:
        record = self.records[remote_id]
        return {name: value.upper() if name in self.shouts else value for name, value in record.items()
                if name != "key"}

    def read(self, run: Run) -> Generator[list[tuple[str, str, dict[str, Any]]], None, Complete]:
        self.reads += 1
        ids = list(self.records)
        for number, start in enumerate(range(0, len(ids), 2)):
            if number == self.breaks:
                raise OSError("connection reset")
            yield [(id, self.records[id]["address"], self.held(id)) for id in ids[start:start + 2]]
        return Complete(len(ids))

    @property
    def deleted(self) -> list[list[str]]:
        return [keys for verb, keys in self.calls if verb == "delete"]

    def sent(self, verb: str) -> list[str]:
        """The keys that a verb was given."""
        return [key for name, keys in self.calls if name == verb for key in keys]


class Fetchable(Readable):
    """A depot that tells what it holds under some ids."""

    fetched: list[list[str]]

    def __init__(self, **capabilities: Any) -> None:
        self.fetched = []
        super().__init__(**capabilities)

    def fetch(self, remote_ids: Sequence[str], run: Run) -> dict[str, Any]:
        self.fetched.append(list(remote_ids))
        return {id: self.held(id) for id in remote_ids if id in self.records}


class Askable(Fetchable):
    """A depot that tells only that, and cannot be read."""

    read = None  # type: ignore[assignment]


class Answering(Readable):
    """A depot whose answers say what it holds."""

    def _create(self, change: Change) -> Any:
        return self._answered(super()._create(change))

    def _update(self, change: Change) -> Any:
        return self._answered(super()._update(change))

    def _answered(self, outcome: Any) -> Any:
        return type(outcome)(outcome.remote_id, answered=self.held(outcome.remote_id))
