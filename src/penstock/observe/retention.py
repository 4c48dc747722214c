"""What is kept of traces goes when it is past its time, in bounded batches, by whichever worker comes first."""

from datetime import timedelta

from penstock.store.port import Store

_BATCH = 1000
_STATEMENTS = ("trace_totals_prune", "trace_statements_prune", "trace_calls_prune", "trace_flames_prune",
               "slow_traces_prune", "statement_texts_prune", "plans_prune")


def prune(store: Store, kept: timedelta) -> int:
    """Remove what is older; return how many rows. Texts and plans go that were not seen for so long."""
    removed = 0
    for name in _STATEMENTS:
        while True:
            count = store.write(lambda tx, name=name: tx.execute(name, {  # type: ignore[misc]
                "kept_ms": kept // timedelta(milliseconds=1), "count": _BATCH}))
            removed += count
            if count < _BATCH:
                break
    return removed
