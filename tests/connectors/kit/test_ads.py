"""The tree of case study A, campaigns, ad groups, ads and keywords, against the ads server, under the kit."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest

from penstock.sync import Layer, Refused
from penstock.sync.declaring.define import LayerDefinition
from penstock.testing.connectors import CHECKS, ConnectorCase, FaultyProxy, Held, Records
from tests.examples.ads import ads_client, catalogue
from tests.examples.ads.ads_client import AdsClient, Answer
from tests.examples.ads.catalogue import Ad, AdGroup, Campaign, Keyword
from tests.examples.ads.shop import Shop
from tests.examples.imported import imported
from tests.servers.ads import KINDS, Ads, ads_server

EXAMPLES = Path(__file__).parents[3] / "examples" / "ads"
LAYERS = {"Campaigns": "campaign", "AdGroups": "ad_group", "Ads": "ad", "Keywords": "keyword"}
_customers = count(1)


def keyword(group: str, text: str) -> Keyword:
    return Keyword(f"{group}/exact/{text}", group, text, "exact")


def campaign(name: str, budget: int) -> Campaign:
    return Campaign(name, f"Campaign [{name}]", budget)


def group(name: str, campaign: str, bid: int = 1) -> AdGroup:
    return AdGroup(name, campaign, f"Group [{name}]", bid)


def ad(name: str, group: str, headline: str = "Buy") -> Ad:
    return Ad(name, group, headline, f"https://shop.example/things?ref={name}")


class AtOnce(AdsClient):
    """Calls that are carried out as a whole or not at all, and name what they create by ids of their own.

    What is refused alone is sent once more by itself, to be told why.
    """

    _whole = True

    def mutate(self, kind: str, operations: Sequence[dict[str, Any]]) -> Answer:
        try:
            return super().mutate(kind, operations)
        except Refused:
            if len(operations) > 1:
                raise
        self._whole = False
        try:
            return super().mutate(kind, operations)
        finally:
            self._whole = True

    def _post(self, path: str, content: Any) -> httpx2.Response:
        if path == "operations" and self._whole:
            named = [{**each, "id": -place} if "create" in each else each
                     for place, each in enumerate(content["operations"], 1)]
            content = {**content, "operations": named, "partialFailure": False}
        return super()._post(path, content)


class Tree(ConnectorCase):
    """Something of everything: in `then` a group moves to another campaign, an ad to another group, and a keyword too,
    which makes it another one; a campaign goes with all below it, and one comes."""

    first: Records = {
        "Campaigns": [campaign("c1", 5), campaign("c2", 5), campaign("c3", 5)],
        "AdGroups": [group("g1", "c1"), group("g2", "c2"), group("g3", "c3")],
        "Ads": [ad("a1", "g1"), ad("a2", "g2"), ad("a3", "g3")],
        "Keywords": [keyword("g1", "shoes"), keyword("g1", "hats"), keyword("g3", "ties")],
    }
    then: Records = {
        "Campaigns": [campaign("c1", 5), campaign("c2", 7), campaign("c4", 5)],
        "AdGroups": [group("g1", "c2"), group("g2", "c2", bid=3), group("g4", "c4")],
        "Ads": [ad("a1", "g2"), ad("a2", "g2", "Buy more"), ad("a4", "g4")],
        "Keywords": [keyword("g1", "shoes"), keyword("g2", "hats"), keyword("g4", "ties")],
    }

    page_size = 2

    def __init__(self, walk: ModuleType, shop: Shop, ads: Ads, proxy: FaultyProxy, *,
                 client: type[AdsClient] = AdsClient, quota: int | None = None) -> None:
        self.walk = walk
        self.shop = shop
        self.ads = ads
        self.proxy = proxy
        self.client = client
        self.quota = quota
        proxy.upstream = ads.url()

    def fresh(self) -> None:
        self.account = f"customer-{next(_customers)}"
        self.ads.lift()
        if self.quota:
            self.ads.quota(self.quota, seconds=60, customer="*")

    def layers(self) -> Sequence[type[Layer[Any]]]:
        return [getattr(self.walk, name) for name in LAYERS]

    def put(self, records: Records) -> None:
        with self.shop.changing() as connection:
            if not connection.execute("select 1 from sqlite_master").fetchone():
                connection.executescript(catalogue.TABLES)
            for table in (*reversed(KINDS), "product"):
                connection.execute(f"delete from {table}")
            product = self.subject
            connection.execute("insert into product values (?, ?)", (product, self.account))
            connection.executemany("insert into campaign values (?, ?, ?, ?)", (
                (each.reference_id, product, "Campaign", each.budget) for each in records["Campaigns"]))
            connection.executemany("insert into ad_group values (?, ?, ?, ?, ?)", (
                (each.reference_id, product, each.campaign_id, "Group", each.bid) for each in records["AdGroups"]))
            connection.executemany("insert into ad values (?, ?, ?, ?, ?)", (
                (each.reference_id, product, each.ad_group_id, each.headline, "things") for each in records["Ads"]))
            connection.executemany("insert into keyword values (?, ?, ?, ?, ?)", (
                (each.reference_id, product, each.ad_group_id, each.text, each.match_type)
                for each in records["Keywords"]))

    def connect(self, account: str) -> AdsClient:
        """Between two runs, and two tries of one, hours go by for the engine; so they do for the quota."""
        self.ads.advance(3600)
        assert self.proxy is not None
        return self.client(self.proxy.url, self.account)

    def held(self) -> Held:
        names: dict[tuple[str, int], str] = {}
        held: dict[str, list[tuple[str, Any, str | None]]] = {}
        for layer, kind in LAYERS.items():
            above = KINDS[kind]
            held[layer] = []
            for record in self.ads.records(kind, self.account):
                parent = names[above, record.parent] if above and record.parent else None
                fields = record.fields
                name = record.reference or "" if kind != "keyword" else (
                    f"{parent}/{fields['match_type']}/{fields['text']}")
                names[kind, record.id] = name
                held[layer].append((name, fields, parent))
        return held

    def identity(self, layer: LayerDefinition, record: Any) -> str:
        return str(record.reference_id)


@pytest.fixture(scope="module")
def ads() -> Iterator[Ads]:
    with ads_server(still=True) as running:
        yield running


@pytest.fixture
def tree(tmp_path: Path, ads: Ads, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch,
         request: pytest.FixtureRequest) -> Iterator[Tree]:
    monkeypatch.setenv("CATALOGUE", str(tmp_path / "catalogue.db"))
    monkeypatch.setenv("PENSTOCK_URL", f"sqlite:///{tmp_path}/unused.db")
    monkeypatch.setitem(sys.modules, "catalogue", catalogue)
    monkeypatch.setitem(sys.modules, "ads_client", ads_client)
    shutil.copy(EXAMPLES / "ads.py", tmp_path)
    with imported(tmp_path / "ads.py", monkeypatch) as walk:
        yield Tree(walk, Shop(tmp_path / "catalogue.db", catalogue), ads, proxy, **getattr(request, "param", {}))


def test_changes(tree: Tree) -> None:
    CHECKS["changes"](tree)


WAYS = [{}, {"client": AtOnce}, {"quota": 5}]


@pytest.mark.parametrize("tree", WAYS, indirect=True, ids=["each by itself", "all or nothing", "within a quota"])
@pytest.mark.parametrize("name", ["changes", "answers_lost", "requests_lost", "throttled", "seeded_faults"])
def test_the_tree_in_each_way(tree: Tree, name: str) -> None:
    CHECKS[name](tree)


@pytest.mark.parametrize("name", sorted({*CHECKS} - {"changes", "answers_lost", "requests_lost", "throttled",
                                                     "seeded_faults", "killed_for_real"}))
def test_the_tree(tree: Tree, name: str) -> None:
    CHECKS[name](tree)


def test_what_is_below_another_parent_is_a_fault(tree: Tree) -> None:
    """The API cannot tell that an ad is in the wrong group; the kit does."""
    class Lost(AdsClient):
        def mutate(self, kind: str, operations: Sequence[dict[str, Any]]) -> Answer:
            if kind == "ad":
                operations = [{**each, "parent": None} if "update" in each else each for each in operations]
            return super().mutate(kind, operations)

    tree.client = Lost
    with pytest.raises(AssertionError, match="'a1' is below 'g1', and should be below 'g2'"):
        CHECKS["changes"](tree)
