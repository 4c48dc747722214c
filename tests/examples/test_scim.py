"""The example of SCIM as a source, between two services of a real server, by its commands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock.connectors import scim
from penstock.connectors.scim.messages import GROUP_SCHEMA, USER_SCHEMA, patch
from penstock.domain.records import Calls
from tests.examples.commands import Commands
from tests.servers.scim import ScimServer, scim_server

EXAMPLE = Path(__file__).parents[2] / "examples" / "scim"


@pytest.fixture(scope="module")
def server() -> Iterator[ScimServer]:
    with scim_server() as running:
        yield running


class Service:
    """One of the two, as somebody else sees it."""

    def __init__(self, client: scim.Client) -> None:
        self._client = client

    def put(self, kind: str, **fields: Any) -> str:
        schema = USER_SCHEMA if kind == "Users" else GROUP_SCHEMA
        body = msgspec.json.encode({"schemas": [schema], **fields})
        return str(self._client.request("POST", f"/{kind}", Calls(), body=body).object()["id"])

    def change(self, path: str, **values: Any) -> None:
        body = patch([{"op": "replace", "value": values}])
        assert self._client.request("PATCH", path, Calls(), body=msgspec.json.encode(body)).ok

    def people(self) -> dict[str, bool]:
        return {user["userName"]: user.get("active", True) for user in self._client.resources("Users")}

    def members(self) -> dict[str, set[str]]:
        names = {user["id"]: user["userName"] for user in self._client.resources("Users")}
        return {group["displayName"]: {names[each["value"]] for each in group.get("members") or ()}
                for group in self._client.resources("Groups")}


def test_it_does_what_its_readme_says(store_url: str, server: ScimServer, tmp_path: Path):
    urls = [server.tenant(f"{tmp_path.name}-{name}") for name in ("provider", "badges")]
    environment = {"PENSTOCK_APP": "badges:app", "PENSTOCK_URL": store_url, "PROVIDER_URL": urls[0],
                   "PROVIDER_TOKEN": server.token, "BADGES_URL": urls[1], "BADGES_TOKEN": server.token}
    says = Commands(EXAMPLE, environment)

    with (scim.connect(urls[0], token=server.token) as one, scim.connect(urls[1], token=server.token) as other):
        provider, badges = Service(one), Service(other)
        ada, bo, cy = (provider.put("Users", userName=name, active=True) for name in ("ada", "bo", "cy"))
        provider.put("Groups", displayName="Doors", externalId="doors", members=[{"value": ada}, {"value": bo}])
        provider.put("Groups", displayName="Lifts", externalId="lifts", members=[{"value": cy}])
        says("migrate")
        says("sync", "badges")
        assert badges.people() == {"ada": True, "bo": True, "cy": True}
        assert badges.members() == {"Doors": {"ada", "bo"}, "Lifts": {"cy"}}
        assert "Nothing to send." in says("plan", "badges")
        provider.change(f"/Users/{bo}", active=False)
        for _ in range(2):
            says("sync", "badges")
        assert badges.people() == {"ada": True, "bo": False, "cy": True}
