"""Sources: the resources of a SCIM service, and the members of its groups (RFC 7644 §3.4.2, RFC 9865).

    class People(Layer[Person]):
        source = scim.Source("Users", fields={"email": "userName", "id": "externalId"}, where="active eq true")

    class Members(Layer[Member]):
        source = scim.MembersOf("externalId eq :subject")
"""

from array import array
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from itertools import pairwise
from typing import Any

from penstock.connectors.http.paging import Items, by_cursor, by_offset
from penstock.connectors.scim.client import Client, connect
from penstock.connectors.scim.exchange import client_of
from penstock.connectors.scim.messages import error_answer
from penstock.connectors.scim.paths import path_fault, value_at
from penstock.connectors.scim.reply import Reply
from penstock.connectors.scim.where import bound, where_fault
from penstock.domain.errors import ConfigurationError, SourceError
from penstock.domain.records import Calls, Complete
from penstock.sync.declaring.ports import Run

Pages = Generator[list[dict[str, Any]], None, Complete | None]


class Source:
    """The resources of one endpoint, such as "Users" or "Groups".

        scim.Source("Users", fields={"id": "externalId", "email": "userName", "family": "name.familyName"})

    `fields` are the record's, each with the attribute that it is (see `paths.value_at`); only those are asked for.
    Without it a record is the resource as it is. `where` is a filter (RFC 7644 §3.4.2.2), in which `:subject` and
    `:account` are the keys of the run's, as strings. The service is that of the run's client, or of `url` with a bearer
    `token`. `page_size` is the most resources in a page, where it should not be the engine's own choice.

    Read by cursor where the service says that it has them, else by index, sorted by `id` where it can sort. A read
    proves that it was whole only if as many resources came as the service said, which said the same on every page, if
    none came twice, and if none moved between two pages. Raises ConfigurationError when it is declared wrongly, listing
    every fault; reading raises SourceError, `Throttled` and `Unavailable`.
    """

    def __init__(self, endpoint: str, *, fields: Mapping[str, str] | None = None, where: str | None = None,
                 url: str | None = None, token: str | None = None, timeout: float = 30.0,
                 page_size: int | None = None) -> None:
        faults = []
        if not isinstance(endpoint, str) or not endpoint.replace("-", "").isalnum():
            faults.append(f'scim.Source expects an endpoint such as "Users" or "Groups", but got {endpoint!r}.')
        for name, path in (fields or {}).items():
            if fault := path_fault(path):
                faults.append(f"scim.Source: field {name!r}: {fault}")
        if fault := where_fault(where):
            faults.append(f"scim.Source: {fault}")
        if page_size is not None and (not isinstance(page_size, int) or page_size < 1):
            faults.append(f"scim.Source expects page_size to be a number of resources from 1, but got {page_size!r}.")
        if url is not None:
            try:
                connect(url, token=token, timeout=timeout).close()
            except ConfigurationError as error:
                faults += error.faults
        elif token is not None:
            faults.append("scim.Source expects a token only with a url: without one the run's client is used.")
        if faults:
            raise ConfigurationError(faults)
        self.endpoint = endpoint
        self.fields = dict(fields) if fields is not None else None
        self.where = where
        self.page_size = page_size
        self._service: Callable[[], Client] | None = None
        if url is not None:
            self._service = lambda: connect(url, token=token, timeout=timeout)
        self._shown = f", url={url!r}" if url is not None and "@" not in url else ""

    def __repr__(self) -> str:
        where = f", where={self.where!r}" if self.where else ""
        return f"scim.{type(self).__name__}({self.endpoint!r}{where}{self._shown})"

    def pages(self, run: Run, size: int) -> Pages:
        """The records of the run's subject, at most `size` (or `page_size`) at a time."""
        size = self.page_size or size
        with self._client(run) as (client, calls):
            ids = _Ids()
            totals: set[object] = set()
            resources = self._resources(run, client, calls, size, totals)
            count = 0
            page: list[dict[str, Any]] = []
            while True:
                try:
                    resource = next(resources)
                except StopIteration as stop:
                    whole = stop.value is not None and ids.once() and totals <= {None, len(ids)}
                    break
                ids.add(self._id(resource))
                for record in self._records(resource):
                    page.append(record)
                    count += 1
                    if len(page) == size:
                        yield page
                        page = []
            if page:
                yield page
            return Complete(count) if whole else None

    def _attributes(self) -> str | None:
        """What to ask for: the attributes of all fields; `id` comes unasked (RFC 7643 §3.1)."""
        if self.fields is None:
            return None
        return ",".join(dict.fromkeys(path.partition("[")[0] for path in self.fields.values()))

    def _records(self, resource: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if self.fields is None:
            yield dict(resource)
        else:
            yield {name: value_at(resource, path) for name, path in self.fields.items()}

    def _id(self, resource: Any) -> str:
        found = resource.get("id") if isinstance(resource, Mapping) else None
        if not isinstance(found, str) or not found:
            raise SourceError(f"{self!r}: expected resources with an id, got one without: is it a SCIM 2.0 service?")
        return found

    @contextmanager
    def _client(self, run: Run) -> Iterator[tuple[Client, Calls]]:
        """The run's client, whose calls count, or one for this read, of another service."""
        if self._service is None:
            yield client_of(run), run.calls
            return
        with self._service() as client:
            client.remaining = run.remaining
            yield client, Calls()

    def _resources(self, run: Run, client: Client, calls: Calls, size: int, totals: set[object]) -> Items:
        """Every resource, and the proof; `totals` gets what the pages say of how many there are."""
        offers = client.offers(calls)
        if self.where and not offers.filter:
            raise SourceError(f"{self!r}: expected a service that can filter, got one that says it cannot; read"
                              " everything, and choose in the layer's source")
        asked = {"filter": bound(self.where, run) if self.where else None, "attributes": self._attributes()}
        params = {name: value for name, value in asked.items() if value is not None}

        def page(more: Mapping[str, str]) -> Reply:
            reply = client.get(f"/{self.endpoint}", calls, {**params, **more})
            if not reply.ok:
                said = error_answer(reply.status, reply.json(), reply.token, reply.text()).detail
                raise SourceError(f"{reply.call}: expected a list of resources, got status {reply.status} ({said});"
                                  " check the endpoint, the filter and the attributes")
            totals.add(reply.object().get("totalResults"))
            return reply

        if offers.cursor:   # whose pages need not say how many resources there are
            count = str(min(size, offers.page))
            return by_cursor(run, lambda cursor: page({"cursor": cursor or "", "count": count}), items="Resources",
                             cursor="nextCursor", more=None, total=None, omitted_at_end=True)
        if offers.sort:
            params |= {"sortBy": "id", "sortOrder": "ascending"}
        # Each page but the first repeats a resource of the one before.
        count = str(min(size + 1, offers.page))
        return by_offset(run, lambda start: page({"startIndex": str(start + 1), "count": count}), items="Resources",
                         total="totalResults", identity=self._id)


class MembersOf(Source):
    """The members of groups (RFC 7643 §4.2): of those that a filter gives, or of all.

        scim.MembersOf("externalId eq :subject")

    A record has the fields `group` and `member` (both ids), `display` and `type` as the service tells them, and those
    that `fields` names of the group. The rest is as with `Source`.
    """

    def __init__(self, where: str | None = None, *, fields: Mapping[str, str] | None = None, url: str | None = None,
                 token: str | None = None, timeout: float = 30.0, page_size: int | None = None) -> None:
        super().__init__("Groups", fields=fields or {}, where=where, url=url, token=token, timeout=timeout,
                         page_size=page_size)

    def _attributes(self) -> str | None:
        return ",".join(filter(None, ["members", super()._attributes()]))

    def _records(self, resource: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        group = next(super()._records(resource))
        members = value_at(resource, "members") or []
        if not isinstance(members, Sequence) or not all(isinstance(each, Mapping) for each in members):
            raise SourceError(f"{self!r}: expected members to be a list of objects, got {type(members).__name__}")
        for member in members:
            yield {**group, "group": resource["id"], "member": value_at(member, "value"),
                   "display": value_at(member, "display"), "type": value_at(member, "type")}


class _Ids:
    """The ids that were met, 8 bytes each: whether any came twice."""

    def __init__(self) -> None:
        self._met = array("Q")

    def add(self, id: str) -> None:
        self._met.append(int.from_bytes(blake2b(id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"))

    def __len__(self) -> int:
        return len(self._met)

    def once(self) -> bool:
        ordered = sorted(self._met)
        return all(one != other for one, other in pairwise(ordered))
