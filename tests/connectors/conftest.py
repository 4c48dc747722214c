"""One SCIM server for all connectors' tests, which each make a service of their own at it."""

from collections.abc import Iterator

import pytest

from tests.servers.scim import ScimServer, scim_server


@pytest.fixture(scope="session")
def server() -> Iterator[ScimServer]:
    with scim_server() as running:
        yield running
