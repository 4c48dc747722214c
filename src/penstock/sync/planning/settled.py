"""Which of the records that differed are not in step with the destination after all."""

from collections.abc import Iterator

from penstock.sync.planning.plan import Item, LayerPlan, decode_item


def unsettled(plan: LayerPlan) -> Iterator[Item]:
    """The items of a layer's plan, deletes apart, that its state does not know to be at the destination as they are."""
    for kind in plan.spool.counts().keys() - {"delete"}:
        for entries in plan.spool.take(kind):
            held = {key: digest for key, _, digest in plan.state.digests([key for key, _ in entries])}
            for item in (decode_item(encoded) for _, encoded in entries):
                if item.digest is None or held.get(item.key) != item.digest:
                    yield item
