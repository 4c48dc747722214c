"""How a plan names a change: by what is sent and to what it belongs, whatever remote ids there are."""

from hashlib import blake2b
from typing import Any

from penstock.domain.digest import DIGEST_BYTES, encode
from penstock.sync.planning.plan import Item
from penstock.sync.restricting.planned import Named, named


def item(parent_id: str | None = None, reference_ids: tuple[str, ...] = (), payload: Any = None, **known: Any) -> Item:
    canonical = encode((payload or {"name": "Ada"}, parent_id, reference_ids))
    return Item("k", canonical, blake2b(canonical, digest_size=DIGEST_BYTES).digest(), parent_id=parent_id,
                reference_ids=reference_ids, **known)


def test_what_belongs_to_nothing_has_the_digest_of_what_is_sent() -> None:
    plain = item(remote_id="r1")
    assert named("update", plain) == Named("k", "update", plain.digest, "r1")


def test_remote_ids_of_others_do_not_count_and_their_keys_do() -> None:
    links = {"parent_key": "g1", "reference_keys": ("p1",)}
    planned = named("create", item(None, ("",), **links))
    assert named("create", item("r1", ("r2",), **links)) == planned
    for other in (item("r1", ("r2",), parent_key="g2", reference_keys=("p1",)),
                  item("r1", ("r2",), parent_key="g1", reference_keys=("p2",)),
                  item("r1", ("r2",), {"name": "Bo"}, **links)):
        assert named("create", other) != planned


def test_a_delete_is_of_a_remote_record_and_sends_nothing() -> None:
    assert named("delete", Item("k", remote_id="r1")) == Named("k", "delete", None, "r1")
