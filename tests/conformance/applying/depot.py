"""Parcels, and depots that take them: each depot refuses, forgets or repeats in one of the ways in which APIs do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock import Penstock
from penstock.sync import Change, Complete, Done, Layer, Refused, Rejected, Run, Subject, Sync

Outcome = Done | Rejected | None


@dataclass
class Parcel:
    id: str
    address: str | None
    weight: int = 1


class Depot:
    """Takes parcels. `limit` is the most weight of a call; `bad` are keys for which a whole call is refused."""

    def __init__(self, **capabilities: Any) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, list[str]]] = []
        self.keys: list[str | None] = []
        self.rejected: dict[str, Outcome] = {}
        self.bad: set[str] = set()
        self.limit: int | None = None
        self.before: dict[int, BaseException] = {}
        self.after: dict[int, BaseException] = {}
        self.unique = False
        self.remembers = False
        self.hidden: set[str] = set()
        self.mislays: Callable[[list[Outcome]], Any] = list
        self._kept: dict[str, Outcome] = {}
        self._ids = 0
        vars(self).update(capabilities)

    def create(self, changes: Sequence[Change], run: Run) -> Any:
        return self._call("create", changes, self._create)

    def update(self, changes: Sequence[Change], run: Run) -> Any:
        return self._call("update", changes, self._update)

    def delete(self, changes: Sequence[Change], run: Run) -> Any:
        return self._call("delete", changes, self._delete)

    @property
    def writes(self) -> list[list[str]]:
        """The keys of each call that writes, in order."""
        return [keys for verb, keys in self.calls if verb != "find"]

    def at(self, address: str) -> list[str]:
        """The keys of the parcels that came for an address."""
        return sorted(record["key"] for record in self.records.values() if record["address"] == address)

    def _call(self, verb: str, changes: Sequence[Change], one: Callable[[Change], Outcome]) -> Any:
        self.calls.append((verb, [change.key for change in changes]))
        number = len(self.writes)
        if number in self.before:
            raise self.before[number]
        weight = sum(change.payload["weight"] for change in changes if change.payload)
        if self.limit is not None and weight > self.limit:
            raise Refused("413", f"a call may weigh {self.limit}, got {weight}")
        if bad := [change.key for change in changes if change.key in self.bad]:
            raise Refused("invalid", f"parcel '{bad[0]}' cannot be read")
        outcomes = [self.rejected.get(change.key) or one(change) for change in changes]
        if number in self.after:
            raise self.after[number]
        return self.mislays(outcomes)

    def _create(self, change: Change) -> Outcome:
        self.keys.append(change.idempotency_key)
        if self.remembers and change.idempotency_key in self._kept:
            return self._kept[change.idempotency_key]
        address = change.payload["address"]
        if self.unique and any(record["address"] == address for record in self.records.values()):
            return Rejected("409", f"there is a parcel for {address} already")
        self._ids += 1
        self.records[f"r{self._ids}"] = {"key": change.key, **change.payload}
        if change.idempotency_key:
            self._kept[change.idempotency_key] = Done(f"r{self._ids}")
        return Done(f"r{self._ids}")

    def _update(self, change: Change) -> Outcome:
        self.records[str(change.remote_id)].update(key=change.key, **change.payload)
        return Done(change.remote_id)

    def _delete(self, change: Change) -> Outcome:
        self.records.pop(str(change.remote_id), None)
        return Done()


class Searchable(Depot):
    """A depot that can be asked for addresses; it shows what is not `hidden`."""

    def find(self, values: Sequence[str], run: Run) -> dict[str, list[str]]:
        self.calls.append(("find", list(values)))
        found: dict[str, list[str]] = {}
        for remote_id, record in self.records.items():
            if record["address"] in values and remote_id not in self.hidden:
                found.setdefault(record["address"], []).append(remote_id)
        return found


@dataclass
class Parcels:
    """The source, and an app with the sync `parcels` of one layer, `Post`."""

    depot: Any
    parcels: dict[str, Parcel] = field(default_factory=dict)

    def put(self, *keys: str, weight: int = 1) -> None:
        for key in keys:
            self.parcels[key] = Parcel(key, f"{key} street", weight)

    def app(self, url: str, now: str | None, **options: Any) -> Penstock:
        app = Penstock(url, now=now)
        kept = self

        def source(self: Any, run: Run) -> Any:
            parcels = list(kept.parcels.values())
            yield from parcels
            return Complete(len(parcels))

        def render(self: Any, parcel: Parcel, run: Run) -> dict[str, Any]:
            return {"address": parcel.address, "weight": parcel.weight}

        every = options.pop("audit_every", None)
        subjects = options.pop("subjects", ["depot"])
        layer = type("Post", (Layer,), {"key": "id", "match": "address", "batch_size": 8, "source": source,
                                        "render": render, "destination": self.depot, **options})

        @app.sync("parcels", audit_every=every)
        class Deliveries(Sync[str]):
            layers = [layer]

            def subjects(self) -> Iterator[Subject]:
                yield from (Subject(key, account="acme") for key in subjects)

        return app
