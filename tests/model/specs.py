"""What jobs are enqueued in the model, and what their attempts come to."""

from hypothesis import strategies as st

from penstock.domain.jobs import LIVE_STATES
from tests.model.chunk_rules import MANY
from tests.model.jobs_model import TASKS, Spec

HOUR = 3_600_000
KEEPS = {"live": frozenset(LIVE_STATES), "ended": frozenset((*LIVE_STATES, "completed", "cancelled")),
         "waiting": frozenset(("scheduled", "pending"))}
End = tuple[str, int, int, int]
"""What an attempt comes to: a state, how many attempts it counts as, how long it is kept, or waits, in ms."""
TAGS = st.sampled_from(["a", "b"])
QUEUES = st.sampled_from(["q1", "q2"])
WORKERS = st.sampled_from([0, 1])
PICK = st.integers(0, 20)
PLAIN = st.tuples(
    st.sampled_from(["mail", "sums", MANY]), QUEUES, st.sampled_from([0, 0, -1, 7]), st.sampled_from([0, 0, 0, 20_000]),
    st.just(3), st.sampled_from([(), ("a",), ("a", "b")]), st.sampled_from([None, None, 40_000])).map(
        lambda row: Spec(*row))
ONLY = st.tuples(
    st.sampled_from([0, 20_000]), st.sampled_from(["1", "2"]), st.sampled_from(list(KEEPS.values())),
    st.sampled_from([None, None, 40_000])).map(
        lambda row: Spec("mail", delay_ms=row[0], key=row[1], keeps=row[2], period_ms=row[3]))
LINED = st.tuples(
    st.sampled_from(["one", "two", "both"]), QUEUES, st.sampled_from([0, 0, -1, 7]), st.sampled_from([0, 0, 0, 20_000]),
    st.sampled_from([0, 0, 1]), st.sampled_from([(), ("a",)]), st.sampled_from([False, False, False, True]),
    st.sampled_from(list(KEEPS.values()))).map(
        lambda row: Spec(row[0], row[1], row[2], row[3], tags=row[5], value=row[4],
                         key=str(3 + list(TASKS).index(row[0])) if row[6] else None,
                         keeps=row[7] if row[6] else frozenset()))
ENDS = st.sampled_from([
    ("completed", 1, 0, 0), ("completed", 1, HOUR, 0), ("completed", 1, 24 * HOUR, 0),
    ("discarded", 1, 50 * 24 * HOUR, 0),
    ("cancelled", 0, HOUR, 0), ("retryable", 1, 0, 20_000), ("scheduled", 0, 0, 5_000), ("available", 0, 0, 0)])
