"""Speaks to the ads server as plainly as can be: for tests of the server, and of what others made there."""

from collections.abc import Iterator
from typing import Any, Self

import httpx2


class Speaker:
    """One customer's connection. Its verbs assert that a call was carried out; `post` and `get` give any answer."""

    def __init__(self, url: str, customer: str, token: str = "for-tests") -> None:
        self._http = httpx2.Client(base_url=f"{url}/v1/customers/{customer}/", headers={"developer-token": token},
                                   trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def post(self, path: str, content: Any) -> httpx2.Response:
        return self._http.post(path, json=content)

    def get(self, path: str) -> httpx2.Response:
        return self._http.get(path)

    def operate(self, kind: str | None, *operations: dict[str, Any]) -> list[dict[str, Any]]:
        """The results of one call."""
        response = self.post("operations", {"kind": kind, "operations": list(operations)})
        assert response.status_code == 200, response.text
        results: list[dict[str, Any]] = response.json()["results"]
        return results

    def ids(self, kind: str, *operations: dict[str, Any]) -> list[str]:
        """The ids of one call's results, all of which went well."""
        results = self.operate(kind, *operations)
        assert all(result["ok"] for result in results), results
        return [result["id"] for result in results]

    def search(self, kind: str, *references: str) -> dict[str, list[str]]:
        """The ids of the records by reference."""
        response = self.post(f"{kind}/search", {"references": references})
        assert response.status_code == 200, response.text
        found: dict[str, list[str]] = {}
        for record in response.json()["records"]:
            found.setdefault(record["reference"], []).append(record["id"])
        return found

    def pages(self, kind: str, count: int) -> Iterator[list[dict[str, Any]]]:
        """All records of a kind, a page at a time."""
        after: str | None = "0"
        while after is not None:
            response = self.get(f"{kind}?after={after}&count={count}")
            assert response.status_code == 200, response.text
            page = response.json()
            yield page["records"]
            after = page["next"]
