"""Statistics are the same however runs are batched, and count as failing whoever's last run failed."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.sync.state.statistics import Finished, Key, Statistics, counted, forgiven, keys

Ended = tuple[str, str, str]
ENDED = st.tuples(st.sampled_from(["s1", "s2", "s3"]), st.sampled_from(["a", "b", ""]),
                  st.sampled_from(["succeeded", "failed", "failed", "cancelled"]))


def runs(ended: Sequence[Ended]) -> list[Finished]:
    return [Finished(number, "people", subject, account, status, 1000 * number, 1010 * number, 5, 4, 3, 2, 1, 7, 6,
                     "OSError" if status == "failed" else None, None)
            for number, (subject, account, status) in enumerate(ended, start=1)]


def in_batches(found: list[Finished], sizes: Sequence[int]) -> dict[Key, Statistics]:
    """Counted as the history does it: of what is known, only what a batch is about is looked at."""
    known: dict[Key, Statistics] = {}
    for size in [*sizes, len(found)]:
        batch, found = found[:size], found[size:]
        wanted = {key for run in batch for key in keys(run)}
        wanted |= {(run.sync, "account", known[key].account) for run in batch if (key := keys(run)[0]) in known}
        known.update(counted(batch, {key: known[key] for key in wanted if key in known}))
    return known


@settings(max_examples=60)
@given(st.lists(ENDED, max_size=30), st.lists(st.integers(1, 5), max_size=8))
def test_batches_make_no_difference_and_failing_subjects_are_those_whose_last_run_failed(
    ended: list[Ended], sizes: list[int]
) -> None:
    found = in_batches(runs(ended), sizes)
    assert found == in_batches(runs(ended), [])
    last: dict[str, tuple[str, bool]] = {}
    for subject, account, status in ended:
        before = last.get(subject, ("", False))
        last[subject] = (account or before[0], before[1] if status == "cancelled" else status == "failed")
    for name, (account, failed) in last.items():
        each = found["people", "subject", name]
        assert (each.account, each.failing, each.streak > 0) == (account, int(failed), failed)
        assert (each.failing_at is not None) == failed
    for account in {account for account, _ in last.values() if account}:
        assert found["people", "account", account].failing == sum(
            failed for whose, failed in last.values() if whose == account)
    if ended:
        whole = found["people", "sync", ""]
        assert (whole.runs, whole.failing) == (len(ended), sum(failed for _, failed in last.values()))
        assert (whole.read, whole.calls, whole.permits) == (5 * len(ended), 7 * len(ended), 6 * len(ended))


def test_what_is_forgiven_counts_nowhere_any_more() -> None:
    found = in_batches(runs([("s1", "a", "failed"), ("s2", "a", "failed"), ("s3", "b", "failed")]), [])
    again = {(each.sync, each.kind, each.name): each
             for each in forgiven([found["people", "subject", "s1"], found["people", "subject", "s3"]], found)}
    assert {key[1:]: each.failing for key, each in again.items()} == {
        ("subject", "s1"): 0, ("subject", "s3"): 0, ("account", "a"): 1, ("account", "b"): 0, ("sync", ""): 1}
