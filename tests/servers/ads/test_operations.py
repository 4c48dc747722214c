"""What the ads server's API promises: operations in order, each in its own right, or all or none of them."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.servers.ads import KINDS, Ads, ads_server
from tests.servers.ads.speaking import Speaker


@pytest.fixture
def ads() -> Iterator[Ads]:
    with ads_server() as running:
        yield running


@pytest.fixture
def speaker(ads: Ads) -> Iterator[Speaker]:
    with Speaker(ads.url(), "c9") as speaker:
        yield speaker


def create(parent: Any = None, id: int | None = None, reference: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"create": fields, "parent": parent, "id": id, "reference": reference}


def codes(results: list[dict[str, Any]]) -> list[str | None]:
    return [result.get("code") for result in results]


def test_records_are_made_changed_and_removed(ads: Ads, speaker: Speaker):
    [campaign] = speaker.ids("campaign", create(name="a", budget=5, reference="c1"))
    [group] = speaker.ids("ad_group", create(campaign, name="b"))
    speaker.operate("campaign", {"update": {"budget": 7}, "id": campaign})
    [held] = ads.records("campaign")
    assert (held.reference, held.fields, held.children) == ("c1", {"name": "a", "budget": 7}, 1)
    speaker.operate("ad_group", {"remove": None, "id": group})
    speaker.operate("campaign", {"remove": None, "id": campaign})
    assert ads.counts() == dict.fromkeys(KINDS, 0)
    assert [(each.verb, each.kind, str(each.id)) for each in ads.operations()] == [
        ("create", "campaign", campaign), ("create", "ad_group", group), ("update", "campaign", campaign),
        ("remove", "ad_group", group), ("remove", "campaign", campaign)]


def test_an_operation_may_use_what_an_earlier_one_of_its_call_made(ads: Ads, speaker: Speaker):
    results = speaker.operate(
        None, {"kind": "campaign", **create(id=-1, name="a")}, {"kind": "ad_group", **create(-1, id=-2, name="b")},
        {"kind": "keyword", **create(-2, text="shoes")}, {"kind": "ad_group", "update": {"bid": 3}, "id": -2})
    assert codes(results) == [None] * 4
    campaign, group, keyword = (ads.records(kind)[0] for kind in ("campaign", "ad_group", "keyword"))
    assert (group.parent, keyword.parent, group.fields) == (campaign.id, group.id, {"name": "b", "bid": 3})


def test_a_temporary_id_is_good_for_one_call_and_one_record(ads: Ads, speaker: Speaker):
    assert codes(speaker.operate("campaign", create(id=-1), create(id=-1), create(id=5))) == [None, "BAD_ID", "BAD_ID"]
    assert codes(speaker.operate("ad_group", create(-1))) == ["PARENT_NOT_FOUND"]
    assert ads.counts() == {"campaign": 1, "ad_group": 0, "ad": 0, "keyword": 0}


def test_what_builds_upon_a_refused_operation_is_refused(speaker: Speaker):
    results = speaker.operate(None, {"kind": "ad_group", **create("77", id=-1)}, {"kind": "ad", **create(-1)},
                              {"kind": "campaign", **create()})
    assert codes(results) == ["PARENT_NOT_FOUND", "PARENT_NOT_FOUND", None]
    assert [result["operation"] for result in results] == [0, 1, 2]


def test_each_operation_is_refused_in_its_own_right(ads: Ads, speaker: Speaker):
    [campaign, other] = speaker.ids("campaign", create(), create())
    [group] = speaker.ids("ad_group", create(campaign))
    assert codes(speaker.operate("campaign", {"remove": None, "id": campaign}, {"remove": None, "id": "99"},
                                 {"update": {}, "id": None}, create(parent=other), {"id": other}, create(),
                                 {"remove": None, "id": "two"})) == [
        "HAS_CHILDREN", "NOT_FOUND", "NOT_FOUND", "PARENT_NOT_ALLOWED", "BAD_OPERATION", None, "BAD_ID"]
    assert codes(speaker.operate("ad_group", create(), create(group), {"update": {}, "id": group, "parent": "99"},
                                 {"update": {}, "id": group, "parent": other})) == ["PARENT_NOT_FOUND"] * 3 + [None]
    assert codes(speaker.operate("campaing", create())) == ["BAD_OPERATION"]
    assert [record.children for record in ads.records("campaign")] == [0, 1, 0]


def test_all_or_nothing_takes_back_what_came_before_a_refusal(ads: Ads, speaker: Speaker):
    [kept, emptied] = speaker.ids("campaign", create(reference="c1", name="a"), create(reference="c2", name="b"))
    [group] = speaker.ids("ad_group", create(emptied, reference="g1"))
    before = {kind: ads.records(kind) for kind in KINDS}
    body = {"partialFailure": False, "operations": [
        {"kind": "campaign", **create(id=-1, reference="c3")},
        {"kind": "ad_group", "update": {"name": "x"}, "id": group, "parent": -1, "reference": "g2"},
        {"kind": "campaign", "remove": None, "id": emptied},
        {"kind": "campaign", "update": {"name": "y"}, "id": kept},
        {"kind": "ad", **create("99")},
    ]}
    response = speaker.post("operations", body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], [(each["operation"], each["code"]) for each in error["operations"]]) == (
        "ABORTED", [(4, "PARENT_NOT_FOUND")])
    assert {kind: ads.records(kind) for kind in KINDS} == before
    assert {each.code for each in ads.operations()[3:]} == {"ABORTED", "PARENT_NOT_FOUND"}
    assert speaker.search("ad_group", "g1", "g2") == {"g1": [group]}

    body["operations"].pop()  # type: ignore[attr-defined]
    assert speaker.post("operations", body).status_code == 200
    assert [record.reference for record in ads.records("campaign")] == ["c1", "c3"]
    assert [record.reference for record in ads.records("ad_group")] == ["g2"]


def test_a_call_carries_ten_thousand_operations_and_not_one_more(ads: Ads, speaker: Speaker):
    assert len(speaker.operate("campaign", *[create()] * 10_000)) == 10_000
    response = speaker.post("operations", {"kind": "campaign", "operations": [create()] * 10_001})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "TOO_MANY_OPERATIONS")
    ads.bounds(operations=2, body_bytes=1000)
    assert speaker.post("operations", {"kind": "campaign", "operations": [create()] * 3}).status_code == 400
    too_long = {"kind": "campaign", "operations": [create(name="x" * 1000)]}
    assert speaker.post("operations", too_long).status_code == 413
    assert ads.counts()["campaign"] == 10_000


def test_what_cannot_be_understood_is_refused_as_a_whole(ads: Ads, speaker: Speaker):
    nonsense = {"kind": "campaign", "operations": [create(), {"create": "a campaign"}]}
    response = speaker.post("operations", nonsense)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "INVALID_REQUEST")
    assert "$.operations[1].create" in response.json()["error"]["message"]
    assert speaker.post("campains/search", {"references": []}).status_code == 404
    assert speaker.get("campaign?count=many").status_code == 400
    assert ads.counts("c9") == dict.fromkeys(KINDS, 0)
    with httpx2.Client(trust_env=False) as stranger:
        assert stranger.get(f"{ads.url()}/v1/customers/c9/campaign").status_code == 401
        assert stranger.get(f"{ads.url()}/v2").status_code == 404


def test_everything_can_be_read_back_in_pages(ads: Ads, speaker: Speaker):
    ids = speaker.ids("campaign", *(create(name=f"n{number}", reference=f"c{number}") for number in range(25)))
    speaker.operate("campaign", *({"remove": None, "id": id} for id in ids[5:15]))
    pages = list(speaker.pages("campaign", 10))
    assert [len(page) for page in pages] == [10, 5]
    assert [record["id"] for page in pages for record in page] == ids[:5] + ids[15:]
    assert pages[0][0] == {"id": ids[0], "parent": None, "reference": "c0", "fields": {"name": "n0"}}


def test_references_are_looked_up_however_many_records_have_them(speaker: Speaker):
    first, second, third = speaker.ids("campaign", create(reference="c1"), create(reference="c1"), create())
    speaker.operate("campaign", {"update": {}, "id": third, "reference": "c3"})
    assert speaker.search("campaign", "c1", "c2", "c3") == {"c1": [first, second], "c3": [third]}
    speaker.operate("campaign", {"remove": None, "id": first}, {"update": {}, "id": third, "reference": "c4"})
    assert speaker.search("campaign", "c1", "c3", "c4") == {"c1": [second], "c4": [third]}
    by_id = speaker.post("campaign/search", {"ids": [third, first]}).json()["records"]
    assert [record["id"] for record in by_id] == [third]


def test_customers_know_nothing_of_each_other(ads: Ads, speaker: Speaker):
    [campaign] = speaker.ids("campaign", create(reference="c1"))
    with Speaker(ads.url(), "c10") as other:
        assert other.search("campaign", "c1") == {}
        assert codes(other.operate("ad_group", create(campaign))) == ["PARENT_NOT_FOUND"]
        assert codes(other.operate("campaign", {"remove": None, "id": campaign})) == ["NOT_FOUND"]
    assert (len(ads.records("campaign", "c9")), len(ads.records("campaign", "c10"))) == (1, 0)
