"""After: the walk's four layers. `python -m bench.campaigns.ours HOW STORE SOURCE ADS CUSTOMER` makes one sync.

`full` reads every row, `buckets` those in which the source's digests say that something changed, `changed` those that
changed since the last time.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from bench.campaigns.before import BATCH
from bench.campaigns.shop import KINDS, PRODUCT
from bench.products import run_once
from bench.resident import peak_mb
from bench.tally import say
from penstock import Penstock
from penstock.connectors import SQLSource
from penstock.sync import Change, Done, Layer, Rejected, Run, Subject, Sync, Throttled
from tests.examples.ads.ads_client import AdsClient

BUCKET = 50


def declared(how: str, store: str, tables: str, ads: str, customer: str) -> Penstock:
    """An app with the walk's sync, its source in the database at `tables`."""
    app = Penstock(store)

    class AdsLayer(Layer[dict[str, Any]]):
        kind: str
        key = "reference_id"
        batch_size = BATCH

        def create(self, changes: Sequence[Change], run: Run) -> list[Done | Rejected]:
            return self.mutate("create", changes, run)

        def update(self, changes: Sequence[Change], run: Run) -> list[Done | Rejected]:
            return self.mutate("update", changes, run)

        def delete(self, changes: Sequence[Change], run: Run) -> list[Done | Rejected]:
            return self.mutate("remove", changes, run)

        def mutate(self, verb: str, changes: Sequence[Change], run: Run) -> list[Done | Rejected]:
            answer = run.client.mutate(self.kind, [
                {verb: change.payload, "id": change.remote_id, "parent": change.parent_id} for change in changes])
            if answer.throttled:
                raise Throttled(answer.retry_after)
            return [Done(each.id) if each.ok else Rejected(each.code, each.message) for each in answer.results]

        def find(self, keys: Sequence[str], run: Run) -> Any:
            return run.client.search(self.kind, keys)

    class Campaigns(AdsLayer):
        kind, source = "campaign", _source(how, tables, "campaign")

        def render(self, campaign: dict[str, Any], run: Run) -> dict[str, Any]:
            return {"name": campaign["name"], "budget": campaign["budget"], "status": campaign["status"]}

    class AdGroups(AdsLayer):
        kind, source, parent = "ad_group", _source(how, tables, "ad_group"), Campaigns.by("campaign_id")

        def render(self, group: dict[str, Any], run: Run) -> dict[str, Any]:
            return {"name": group["name"], "bid": group["bid"], "status": group["status"]}

    class Ads(AdsLayer):
        kind, source, parent = "ad", _source(how, tables, "ad"), AdGroups.by("ad_group_id")

        def render(self, ad: dict[str, Any], run: Run) -> dict[str, Any]:
            return {"headline": ad["headline"], "url": ad["url"], "status": ad["status"]}

    class Keywords(AdsLayer):
        kind, source, parent = "keyword", _source(how, tables, "keyword"), AdGroups.by("ad_group_id")

        def render(self, keyword: dict[str, Any], run: Run) -> dict[str, Any]:
            return {"text": keyword["text"], "match_type": keyword["match_type"], "bid": keyword["bid"],
                    "status": keyword["status"]}

    @app.sync("google-ads")
    class GoogleAds(Sync[str]):
        layers = [Campaigns, AdGroups, Ads, Keywords]

        def subjects(self) -> Iterator[Subject]:
            yield Subject(PRODUCT, account=customer)

        def connect(self, account: str) -> AdsClient:
            return AdsClient(ads, account)

    if how == "changed":
        for layer in (Campaigns, AdGroups, Ads, Keywords):
            _tells_changes(layer, tables)
    return app


def _query(kind: str) -> str:
    parent, columns = KINDS[kind]
    names = ", ".join(["reference_id", *([parent] if parent else []), *columns])
    return f"select {names} from {kind} where product_id = "


def _source(how: str, url: str, kind: str) -> SQLSource:
    return SQLSource(url, f"{_query(kind)}:subject", key="reference_id", buckets=BUCKET if how == "buckets" else None)


def _tells_changes(layer: Any, url: str) -> None:
    """Give a layer the two methods by which it is read since the last change that it knows of."""
    def latest(self: Any, connection: "psycopg.Connection[Any]", run: Run) -> int:
        row = connection.execute(f"select coalesce(max(updated_at), 0) as now from {self.kind} where product_id = %s",
                                 (run.subject.key,)).fetchone()
        assert row is not None
        return int(row["now"])

    def cursor(self: Any, run: Run) -> int:
        with psycopg.connect(url, row_factory=dict_row) as connection:
            return latest(self, connection, run)

    def changed_since(self: Any, since: int, run: Run) -> Any:
        with psycopg.connect(url, row_factory=dict_row) as connection:
            now = latest(self, connection, run)
            yield from connection.execute(f"{_query(self.kind)} %s and updated_at > %s", (run.subject.key, since))
        return now

    layer.cursor, layer.changed_since = cursor, changed_since


def main() -> None:
    how, store, source, ads, customer = sys.argv[1:]
    with declared(how, store, source, ads, customer) as app:
        app.migrate()
        row, seconds = run_once(app, "google-ads", PRODUCT, customer)
    say(seconds=seconds, peak_mb=peak_mb(), read=row.read)


if __name__ == "__main__":
    main()
