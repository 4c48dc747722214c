"""The example of case study A with a way to read back: what somebody did in the ads account by hand is put right."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from penstock.domain.options import Audit, RunOptions
from penstock.sync import Run
from penstock.sync.state.findings import Findings, audited
from penstock.sync.state.runs import RunRow, latest_runs
from tests.engine import Engine
from tests.examples.ads.shop import CUSTOMER, PRODUCT
from tests.examples.test_ads import LAYERS, ads, engine, environment, folder, modules, shop, size, sync
from tests.servers.ads import Ads

__all__ = ["ads", "engine", "environment", "folder", "modules", "shop", "size"]


@pytest.fixture(autouse=True)
def fetching(engine: Engine) -> None:
    """Give the walk's layers the verb that audits ask with."""
    def fetch(self: Any, remote_ids: Sequence[str], run: Run) -> dict[str, Any]:
        response = run.client._post(f"{self.kind}/search", {"ids": list(remote_ids)})
        return {each["id"]: each["fields"] for each in msgspec.json.decode(response.content)["records"]}

    type(engine.app.definition("google-ads").layers[0].layer).__mro__[1].fetch = fetch  # type: ignore[attr-defined]


def audit(engine: Engine, **options: Any) -> tuple[RunRow, dict[str, Findings]]:
    engine.app.request([{"sync": "google-ads", "subject": PRODUCT, "account": None, "priority": 0, "reason": "test",
                         "options": RunOptions.of(audit=Audit(**options)).text}])
    engine.settle_all()
    layers = audited(engine.app.store, engine.app.definition("google-ads"), engine.app.subject("google-ads", PRODUCT))
    return latest_runs(engine.app.store, "google-ads", [PRODUCT])[0][0], {
        each.layer: each.findings for each in layers if each.findings is not None}


def test_a_group_that_was_taken_away_with_all_below_it_is_made_again_parents_first(
        engine: Engine, ads: Ads, modules: Any) -> None:
    sync(engine)
    before = ads.counts()
    with modules["ads_client"].AdsClient(ads.url(), customer=CUSTOMER) as client:
        group, ad = ads.records("ad_group")[0], ads.records("ad")[-1]
        below = [(kind, each.id) for kind in ("keyword", "ad") for each in ads.records(kind) if each.parent == group.id]
        for kind, id in [*below, ("ad_group", group.id)]:
            client.mutate(kind, [{"remove": None, "id": str(id), "parent": None}])
        changed = {**ad.fields, "headline": "by hand"}
        client.mutate("ad", [{"update": changed, "id": str(ad.id), "parent": str(ad.parent)}])
    assert ads.counts()["ad_group"] == before["ad_group"] - 1
    gone = {name: before[kind] - ads.counts()[kind] for name, kind in LAYERS.items()}
    _, found = audit(engine)
    assert {name: each.counts.get("missing", 0) for name, each in found.items()} == gone
    assert found["Ads"].fields == {"drifted": {"headline": 1}}
    ads.forget()
    run, found = audit(engine, repair=True)
    assert (run.status, run.created, run.updated) == ("succeeded", sum(gone.values()), 1)
    assert ads.counts() == before
    again = sync(engine)
    assert (again.created, again.updated, again.deleted, again.write_calls) == (0, 0, 0, 0)
    assert all(set(each.counts) == {"in_step"} for each in audit(engine)[1].values())
