"""The client that the walk of case study A speaks through, against the ads server."""

from collections.abc import Iterator

import pytest

from penstock.sync import Refused, Throttled, Unavailable
from tests.examples.ads.ads_client import AdsClient
from tests.examples.ads.shop import CUSTOMER
from tests.servers.ads import Ads, ads_server


@pytest.fixture
def ads() -> Iterator[Ads]:
    with ads_server() as running:
        yield running


def test_the_client_finds_what_is_there_and_nothing_else(ads: Ads):
    """Else a create whose answer was lost would be done twice, or somebody else's record taken for it."""
    with AdsClient(ads.url(), CUSTOMER) as client:
        def made(kind: str, parent: str | None = None, **fields: object) -> str:
            [result] = client.mutate(kind, [{"create": fields, "id": None, "parent": parent}]).results
            return str(result.id)

        campaign = made("campaign", name="Sale [50 %] [c1]", budget=5)
        first, second = (made("ad_group", campaign, name="All [g1]", bid=number) for number in (1, 2))
        ad = made("ad", first, headline="Buy", url="https://shop.example/things/1?colour=red&ref=a1")
        keyword = made("keyword", second, text="cheap/new things", match_type="exact")
        made("keyword", first, text="cheap", match_type="exact")

        assert client.search("campaign", ["c1", "c2"]) == {"c1": campaign}
        assert client.search("ad_group", ["g1"]) == {"g1": [first, second]}, "one that is there twice"
        assert client.search("ad", ["a1", "a"]) == {"a1": ad}
        assert client.search("keyword", [
            "g1/exact/cheap/new things", "g1/phrase/cheap/new things", "g2/exact/cheap/new things", "g1/exact/new",
        ]) == {"g1/exact/cheap/new things": keyword}

        client.mutate("campaign", [{"update": {"name": "Over [c1]", "budget": 5}, "id": campaign, "parent": None}])
        assert client.search("campaign", ["c1"]) == {"c1": campaign}
        assert client.search("campaign", []) == {}


def test_the_client_says_what_kept_a_call_from_being_carried_out(ads: Ads):
    remove = {"remove": None, "id": "5", "parent": None}
    with AdsClient(ads.url(), CUSTOMER) as client:
        [result] = client.mutate("campaign", [remove]).results
        assert result.ok, "what is gone is removed"
        [result] = client.mutate("campaign", [{**remove, "update": {"name": "[c1]"}}]).results
        assert result.code == "BAD_OPERATION"
        [result] = client.mutate("campaign", [{"update": {"name": "[c1]"}, "id": "5", "parent": None}]).results
        assert (result.ok, result.code) == (False, "gone")
        for _ in range(2):
            ads.fault("throttle", route=None, retry_after=7)
        ads.fault("throttle", retry_after=None)
        assert client.mutate("campaign", [remove]).retry_after == 7
        with pytest.raises(Throttled) as throttled:
            client.search("campaign", ["c1"])
        assert throttled.value.retry_after == 7
        answer = client.mutate("campaign", [remove])
        assert (answer.throttled, answer.retry_after) == (True, None)
        for status, sent in ((500, True), (503, True), (403, False)):
            ads.fault("error_before", status=status)
            with pytest.raises(Unavailable) as unavailable:
                client.mutate("campaign", [remove])
            assert unavailable.value.sent is sent
        with pytest.raises(Refused, match="expected at most 10000 operations"):
            client.mutate("campaign", [remove] * 10_001)
