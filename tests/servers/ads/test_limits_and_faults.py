"""What the ads server allows, and what it does wrong when it is told to."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.servers.ads import Ads, ads_server
from tests.servers.ads.speaking import Speaker
from tests.waiting import until

CAMPAIGN = {"create": {"name": "a"}, "reference": "c1"}


@pytest.fixture
def ads() -> Iterator[Ads]:
    with ads_server(still=True) as running:
        yield running


@pytest.fixture
def speaker(ads: Ads) -> Iterator[Speaker]:
    with Speaker(ads.url(), "c9") as speaker:
        yield speaker


def made(speaker: Speaker, count: int = 1) -> httpx2.Response:
    return speaker.post("operations", {"kind": "campaign", "operations": [CAMPAIGN] * count})


def statuses(*responses: httpx2.Response) -> list[int]:
    return [response.status_code for response in responses]


def test_a_customers_quota_counts_operations_in_any_stretch_of_time(ads: Ads, speaker: Speaker):
    ads.quota(10, seconds=60, customer="c9")
    assert made(speaker, 6).status_code == 200
    ads.advance(20.5)
    assert made(speaker, 4).status_code == 200
    refused = made(speaker, 1)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "40"), "39.5 s, rounded up"
    assert made(speaker, 7).headers["Retry-After"] == "60", "the first six are not enough"
    ads.advance(39.5)
    assert statuses(made(speaker, 7), made(speaker, 6)) == [429, 200]
    assert ads.counts()["campaign"] == 16, "nothing of a refused call is carried out or counted"


def test_each_token_has_a_quota_of_its_own(ads: Ads, speaker: Speaker):
    ads.quota(3, seconds=60, token="*")
    ads.quota(4, seconds=60, customer="c9")
    with (Speaker(ads.url(), "c10") as same_token, Speaker(ads.url(), "c9", token="other") as same_customer,
          Speaker(ads.url(), "c10", token="third") as neither):
        assert statuses(made(speaker, 2), made(same_token, 2), made(same_token), made(same_customer, 3),
                        made(same_customer, 2), made(neither, 3)) == [200, 429, 200, 429, 200, 200]


def test_a_call_that_no_quota_can_ever_take_is_told_so(ads: Ads, speaker: Speaker):
    ads.quota(3, seconds=60, customer="*")
    response = made(speaker, 4)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "LARGER_THAN_QUOTA")
    ads.lift()
    assert made(speaker, 4).status_code == 200


def test_a_quota_of_calls_counts_reads_as_well(ads: Ads, speaker: Speaker):
    ads.quota(2, seconds=1, customer="*", unit="call")
    assert statuses(made(speaker, 9), speaker.get("campaign"), speaker.get("campaign")) == [200, 200, 429]
    ads.advance(1)
    assert statuses(speaker.get("campaign")) == [200]


def test_a_dropped_call_is_carried_out_or_not(ads: Ads, speaker: Speaker):
    for kind, count in (("drop_before", 0), ("drop_after", 1)):
        ads.fault(kind)  # type: ignore[arg-type]
        with pytest.raises(httpx2.RemoteProtocolError):
            made(speaker)
        assert ads.counts()["campaign"] == count
    assert made(speaker).status_code == 200
    assert [(call.status, call.carried_out, call.fault) for call in ads.calls()] == [
        (None, False, "drop_before"), (None, True, "drop_after"), (200, True, None)]


def test_an_error_says_nothing_of_what_was_carried_out(ads: Ads, speaker: Speaker):
    ads.fault("error_before", status=503)
    ads.fault("error_after")
    assert statuses(made(speaker)) == [503]
    assert ads.counts()["campaign"] == 0
    assert statuses(made(speaker)) == [500]
    assert ads.counts()["campaign"] == 1


def test_the_nth_call_of_a_kind_fails_as_often_as_is_said(ads: Ads, speaker: Speaker):
    ads.fault("throttle", nth=2, times=2, retry_after=7)
    ads.fault("error_before", route="page", times=None)
    responses = [made(speaker) for _ in range(4)]
    assert statuses(*responses) == [200, 429, 429, 200]
    assert responses[1].headers["Retry-After"] == "7"
    assert statuses(speaker.get("campaign"), speaker.get("campaign")) == [500, 500]
    ads.behave()
    assert statuses(speaker.get("campaign")) == [200]


def test_a_call_that_holds_a_certain_record_is_refused_as_a_whole(ads: Ads, speaker: Speaker):
    ads.fault("refuse", having='"bad"', times=None)
    bad = {"create": {"name": "b"}, "reference": "bad"}
    assert speaker.post("operations", {"kind": "campaign", "operations": [CAMPAIGN, bad]}).status_code == 400
    assert made(speaker).status_code == 200
    assert [record.reference for record in ads.records("campaign")] == ["c1"]


def test_a_certain_record_is_refused_alone(ads: Ads, speaker: Speaker):
    ads.reject("bad", "POLICY")
    [first, second] = speaker.operate("campaign", {"create": {"name": "bad"}}, CAMPAIGN)
    assert (first["ok"], first["code"], second["ok"]) == (False, "POLICY", True)
    [told, _] = ads.operations()
    assert (told.call, told.verb, told.id, told.code) == (1, "create", None, "POLICY")


def test_results_may_be_missing_or_in_the_wrong_order(ads: Ads, speaker: Speaker):
    ads.fault("fewer", places=(0, -1))
    ads.fault("reversed")
    assert [result["operation"] for result in made(speaker, 4).json()["results"]] == [1, 2]
    assert [result["operation"] for result in made(speaker, 3).json()["results"]] == [2, 1, 0]
    assert ads.counts()["campaign"] == 7


def test_a_slow_call_is_carried_out_before_it_is_answered(ads: Ads, speaker: Speaker):
    ads.fault("slow", seconds=0.01)
    assert made(speaker).status_code == 200
    ads.fault("hang")
    with ThreadPoolExecutor(1) as pool, Speaker(ads.url(), "c9") as other:
        hanging = pool.submit(made, other)
        until("it is carried out", lambda: ads.counts()["campaign"] == 2)
        assert not hanging.done()
        assert made(speaker).status_code == 200, "others are served meanwhile"
        ads.behave()
        assert hanging.result().status_code == 200


def test_many_may_speak_at_once(ads: Ads):
    ready = threading.Barrier(8)

    def speak(number: int) -> list[Any]:
        with Speaker(ads.url(), f"c{number % 2}") as speaker:
            ready.wait()
            return [id for _ in range(10) for id in speaker.ids("campaign", *[CAMPAIGN] * 20)]

    with ThreadPoolExecutor(8) as pool:
        ids = [id for some in pool.map(speak, range(8)) for id in some]
    assert len(set(ids)) == len(ids) == 1600
    assert [len(ads.records("campaign", customer)) for customer in ("c0", "c1")] == [800, 800]
    assert [call.number for call in ads.calls()] == list(range(1, 81))


def test_what_others_do_there_is_not_logged(ads: Ads, speaker: Speaker):
    campaign = ads.make("campaign", "c9", {"name": "by hand"})
    group = ads.make("ad_group", "c9", {"name": "b"}, campaign, reference="g1")
    ads.change("campaign", campaign, name="changed")
    ads.drop("ad_group", group)
    assert [record.fields for record in ads.records("campaign")] == [{"name": "changed"}]
    assert ads.counts()["ad_group"] == 0
    assert (ads.calls(), ads.operations()) == ([], [])
    made(speaker)
    ads.forget()
    assert (ads.calls(), ads.operations(), ads.counts()["campaign"]) == ([], [], 2)


def test_it_may_run_in_a_process_of_its_own():
    with ads_server(apart=True) as ads, Speaker(ads.url(), "c9") as speaker:
        ads.quota(3, seconds=3600, customer="*")
        ads.fault("drop_after", nth=2)
        assert made(speaker, 2).status_code == 200
        with pytest.raises(httpx2.RemoteProtocolError):
            made(speaker)
        assert made(speaker).status_code == 429
        assert [record.reference for record in ads.records("campaign")] == ["c1"] * 3
        assert [(call.operations, call.status) for call in ads.calls("operations")] == [(2, 200), (1, None), (1, 429)]
        assert len(ads.operations()) == 3


def test_a_hanging_call_does_not_keep_the_server_from_ending():
    with ads_server() as ads, Speaker(ads.url(), "c9") as speaker, ThreadPoolExecutor(1) as pool:
        ads.fault("hang")
        hanging = pool.submit(made, speaker)
        until("it has come", ads.calls)
        ads.stop()
        assert hanging.exception() or hanging.result().status_code == 200
