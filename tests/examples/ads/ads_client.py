"""The walk's client of the ads API, as its application would have it: one connection, calls and their answers."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from os import environ
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec

from penstock.sync import Refused, Throttled, Unavailable

MOST_REFERENCES = 10_000
NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Result(msgspec.Struct):
    """What became of one operation; `operation` is its place in the call."""

    operation: int
    ok: bool
    id: str | None = None
    code: str | None = None
    message: str = ""


@cache
def tls() -> ssl.SSLContext:
    """Made once a process, where it is needed: to read all the authorities there are takes longer than many a sync."""
    return httpx2.create_ssl_context()


@dataclass(frozen=True)
class Answer:
    """What became of a call: throttled, and for how many seconds, or carried out with a result for each operation."""

    throttled: bool = False
    retry_after: float | None = None
    results: Sequence[Result] = field(default_factory=list)


class AdsClient:
    """Talks to the ads API at `url` for one customer. A context manager: its connection ends with it."""

    def __init__(self, url: str, customer: str) -> None:
        self._http = httpx2.Client(
            base_url=f"{url}/v1/customers/{customer}/", timeout=60, trust_env=False,
            verify=tls() if url.startswith("https:") else False,
            headers={"developer-token": environ.get("ADS_DEVELOPER_TOKEN", "for-tests")})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def mutate(self, kind: str, operations: Sequence[dict[str, Any]]) -> Answer:
        """Carry out operations, each in its own right; results are in their order.

        The results end before the first that the API left out: what lies behind a gap cannot be told by its place.
        Raises `Refused` where something in the call had it refused as a whole, and `Unavailable` without an answer.
        """
        named = [{**operation, "reference": reference_of(kind, operation)} for operation in operations]
        response = self._post("operations", {"kind": kind, "operations": named})
        if response.status_code == 429:
            return Answer(throttled=True, retry_after=retry_after(response))
        by_place = {result.operation: _settled(result, operations[result.operation])
                    for result in msgspec.json.decode(_body(response, "results"), type=list[Result])}
        gap = next((place for place in range(len(operations)) if place not in by_place), len(operations))
        return Answer(results=[by_place[place] for place in range(gap)])

    def search(self, kind: str, keys: Sequence[str]) -> dict[str, str | list[str]]:
        """The remote ids of records by the catalogue's reference ids: one, or a list where several have it.

        Raises `Throttled` and `Unavailable`.
        """
        wanted = {key: [key] for key in keys} if kind != "keyword" else self._keywords(keys)
        found = self._found(kind, [reference for references in wanted.values() for reference in references])
        ids = {key: [id for reference in references for id in found.get(reference, ())]
               for key, references in wanted.items()}
        return {key: held[0] if len(held) == 1 else held for key, held in ids.items() if held}

    def _keywords(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """By key, what the API calls these keywords: their ad group is in it by its remote id."""
        parts = {key: key.partition("/") for key in keys}
        groups = self._found("ad_group", list({group for group, _, _ in parts.values()}))
        return {key: [f"{id}/{rest}" for id in groups.get(group, ())] for key, (group, _, rest) in parts.items()}

    def _found(self, kind: str, references: Sequence[str]) -> dict[str, list[str]]:
        pairs = []
        for first in range(0, len(references), MOST_REFERENCES):
            some = references[first:first + MOST_REFERENCES]
            response = self._post(f"{kind}/search", {"references": some})
            if response.status_code == 429:
                raise Throttled(retry_after(response))
            records = msgspec.json.decode(_body(response, "records"))
            pairs += [(record["reference"], record["id"]) for record in records]
        return {reference: [id for _, id in group]
                for reference, group in groupby(sorted(pairs), key=lambda pair: pair[0])}

    def _post(self, path: str, content: Any) -> httpx2.Response:
        try:
            return self._http.post(path, content=msgspec.json.encode(content))
        except httpx2.RequestError as error:
            raise Unavailable(f"the ads API did not answer {path}: {error}",
                              sent=not isinstance(error, NEVER_SENT)) from error


def reference_of(kind: str, operation: dict[str, Any]) -> str | None:
    """By what name the API is to find this record again; None for a removal.

    An operation does not say which record of the catalogue it is about, so its name has to be found in what is sent,
    where nothing that may change can be part of it: else a create whose answer was lost would be looked up by another
    name than it was made under, be taken for one that never happened, and be done twice. So the catalogue has its
    reference id stand at the end of a campaign's and an ad group's name, and in an ad's URL. A keyword has no room for
    it; it is identified by ad group, match type and text, all of which are in its key.
    """
    payload = operation.get("create") or operation.get("update")
    if payload is None:
        return None
    match kind:
        case "campaign" | "ad_group":
            return str(payload["name"]).rpartition("[")[2].removesuffix("]")
        case "ad":
            return str(parse_qs(urlsplit(payload["url"]).query)["ref"][0])
    return f"{operation['parent']}/{payload['match_type']}/{payload['text']}"


def retry_after(response: httpx2.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None


def _settled(result: Result, operation: dict[str, Any]) -> Result:
    """A record that is not there any more: to remove it is done already, to update it is to make it anew."""
    if result.code != "NOT_FOUND":
        return result
    if "remove" in operation:
        return Result(result.operation, True, operation["id"])
    return Result(result.operation, False, code="gone", message=result.message)


def _body(response: httpx2.Response, name: str) -> msgspec.Raw:
    """What an answer carries under a name.

    Raises `Refused` where the API cannot bear what the call holds; `Unavailable` for all else, and that an error of
    the API's own leaves open whether the call was carried out.
    """
    if response.status_code == 200:
        parts = msgspec.json.decode(response.content, type=dict[str, msgspec.Raw])
        return parts[name]
    if response.status_code in (400, 413):
        error = response.json()["error"]
        raise Refused(error["code"], error["message"])
    raise Unavailable(f"the ads API answered {response.status_code}: {response.text[:300]}",
                      sent=response.status_code >= 500)
