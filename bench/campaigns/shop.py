"""The catalogue: campaigns, ad groups, ads and keywords of one product, in tables as an application would have them.

A row has about 3 KB, as in the case study: what is advertised, and beside it texts, targeting and notes that the ads
API never sees. All the arms read the same tables, with an index for every query that one of them makes.
"""

import random
from collections.abc import Iterator
from pydoc_data.topics import topics
from typing import Any, NamedTuple

import psycopg

PRODUCT = "product-17"
ADS, KEYWORDS = 4, 4  # of each ad group

KINDS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "campaign": (None, ("name", "budget", "status")),
    "ad_group": ("campaign_id", ("name", "bid", "status")),
    "ad": ("ad_group_id", ("headline", "url", "status")),
    "keyword": ("ad_group_id", ("text", "match_type", "bid", "status")),
}
"""Each table, parents first: the column of its parent, and the columns that are advertised."""

_TYPES = {"budget": "integer", "bid": "integer"}
_TEXTS = {"description": 520, "selling_points": 420, "landing_copy": 640, "targeting": 320, "audience": 180,
          "tracking_template": 120, "final_url_suffix": 80, "labels": 60, "policy_notes": 120, "internal_notes": 120}
"""What else a row has, and about how many characters of it."""
_POOL = 997


class Size(NamedTuple):
    """How many campaigns and ad groups; each ad group has four ads and four keywords."""

    campaigns: int
    groups: int

    @property
    def records(self) -> int:
        return self.campaigns + self.groups * (1 + ADS + KEYWORDS)


def fill(url: str, size: Size) -> None:
    """Make the tables and fill them."""
    with psycopg.connect(url) as connection:
        for kind, (parent, columns) in KINDS.items():
            connection.execute(_table(kind, parent, columns))
            with connection.cursor().copy(f"copy {kind} from stdin") as copy:
                for row in _rows(kind, size):
                    copy.write_row(row)
            if parent is not None:
                connection.execute(f"create index on {kind} (product_id, {parent})")
            connection.execute(f"create index on {kind} (product_id, updated_at)")


def change(url: str, size: Size, step: int) -> int:
    """Change a hundredth of the ad groups, each with all that is in it; give how many records changed.

    Eight of ten get another bid, and so have their keywords, and their ads another headline; one of ten goes, and one
    comes for it. Of the campaigns one gets another budget.
    """
    chance = random.Random(step)
    with psycopg.connect(url) as connection:
        there = [row[0] for row in connection.execute("select reference_id from ad_group order by 1").fetchall()]
        some = chance.sample(there, size.groups // 100)
        gone, kept = some[:len(some) // 10], some[len(some) // 10 * 2:]
        number = int(there[-1][1:]) + 1
        now = {"now": step * 1000, "groups": kept, "gone": gone, "bid": 100 + step, "step": f" {step}"}
        changed = 0
        for statement in (
            "update ad_group set bid = bid + %(bid)s, updated_at = %(now)s where reference_id = any(%(groups)s)",
            "update ad set headline = headline || %(step)s, updated_at = %(now)s where ad_group_id = any(%(groups)s)",
            "update keyword set bid = bid + %(bid)s, updated_at = %(now)s where ad_group_id = any(%(groups)s)",
            "update campaign set budget = budget + %(bid)s, updated_at = %(now)s"
            " where reference_id = (select min(reference_id) from campaign)",
            "delete from keyword where ad_group_id = any(%(gone)s)", "delete from ad where ad_group_id = any(%(gone)s)",
            "delete from ad_group where reference_id = any(%(gone)s)",
        ):
            changed += connection.execute(statement, now).rowcount
        for kind in ("ad_group", "ad", "keyword"):
            with connection.cursor().copy(f"copy {kind} from stdin") as copy:
                for group in range(number, number + len(gone)):
                    for row in _of_group(kind, group, chance.randrange(size.campaigns), step * 1000):
                        copy.write_row(row)
                        changed += 1
    return changed


def advertised(url: str) -> set[tuple[Any, ...]]:
    """What is to be advertised: kind, parent, and the advertised columns of every row."""
    with psycopg.connect(url) as connection:
        return {(kind, *row) for kind, (parent, columns) in KINDS.items()
                for row in connection.execute(f"select {parent or 'null'}, {', '.join(columns)} from {kind}")}


def _table(kind: str, parent: str | None, columns: tuple[str, ...]) -> str:
    texts = [f"{name} text not null" for name in _TEXTS]
    own = [f"{name} {_TYPES.get(name, 'text')} not null" for name in columns]
    above = [] if parent is None else [f"{parent} text not null"]
    return (f"create table {kind} (product_id text, reference_id text, {', '.join([*above, *own, *texts])},"
            " created_by text not null, created_at bigint not null, updated_at bigint not null,"
            " primary key (product_id, reference_id))")


def _rows(kind: str, size: Size) -> Iterator[tuple[Any, ...]]:
    if kind == "campaign":
        for number in range(size.campaigns):
            name = f"c{number:04}"
            yield (PRODUCT, name, f"Campaign {number} [{name}]", 1000 + number, "enabled", *_rest(kind, number))
        return
    for group in range(size.groups):
        yield from _of_group(kind, group, group * size.campaigns // size.groups)


def _of_group(kind: str, group: int, campaign: int, now: int = 0) -> Iterator[tuple[Any, ...]]:
    """The rows of one kind that belong to one ad group, itself or what is in it."""
    name = f"g{group:07}"
    if kind == "ad_group":
        yield (PRODUCT, name, f"c{campaign:04}", f"Group {group} [{name}]", 10 + group % 90, "enabled",
               *_rest(kind, group, now))
    elif kind == "ad":
        for place in range(ADS):
            ad = f"a{group:07}-{place}"
            yield (PRODUCT, ad, name, f"Buy number {group} of {place} today",
                   f"https://shop.example/things/{group}/{place}?ref={ad}", "enabled", *_rest(kind, group + place, now))
    else:
        for place in range(KEYWORDS):
            text = f"buy thing {group} {place}"
            yield (PRODUCT, f"{name}/exact/{text}", name, text, "exact", 10 + place, "enabled",
                   *_rest(kind, group + place, now))


def _pool(name: str, length: int) -> list[str]:
    """Texts of a length, one of which each row takes: prose, so that it compresses as what people write does."""
    chance = random.Random(name)
    return [_PROSE[start:start + length] for start in chance.choices(range(len(_PROSE) - length), k=_POOL)]


_PROSE = " ".join(" ".join(topics.values()).split())  # of Python's manual
_POOLS = [_pool(name, length) for name, length in _TEXTS.items()]


def _rest(kind: str, number: int, now: int = 0) -> list[Any]:
    seed = number * 31 + len(kind)
    return [*(pool[(seed * (place + 7)) % _POOL] for place, pool in enumerate(_POOLS)), "importer", 0, now]
