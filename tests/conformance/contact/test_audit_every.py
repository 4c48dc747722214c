"""Audits by the clock: every subject has its turn, not all of them at once, and none too early."""

from datetime import timedelta

import pytest

from penstock.domain.errors import DeclarationError
from penstock.schedule.audits import due, tick
from tests.conformance.applying.depot import Depot
from tests.conformance.contact.conftest import Fetchable, Opened, Readable

DAY = timedelta(days=1)


def test_a_subject_is_audited_when_it_is_due_and_not_before(post: Opened) -> None:
    engine = post(Readable(), "a", audit_every=DAY)

    def pass_hours(hours: int) -> None:
        for _ in range(hours):
            engine.clock.advance(3600)
            engine.app.scheduler().step()
            engine.settle_all()

    engine.app.scheduler().step()
    engine.run()
    pass_hours(23)
    assert engine.depot.reads == 1  # the first contact
    pass_hours(2)
    assert engine.depot.reads == 2
    pass_hours(24)
    assert engine.depot.reads == 3
    audits = engine.clock.fetch("select reasons from penstock.sync_runs where options <> ''")
    assert audits == [('["audit_every"]',)] * 2


def test_subjects_have_their_turns_the_longest_waiting_first(post: Opened) -> None:
    names = [f"s{number:02}" for number in range(48)]
    engine = post(Fetchable(), "a", audit_every=DAY, subjects=names)
    definition = engine.app.definition("parcels")
    assert tick(DAY) == timedelta(hours=1)
    seen = []
    for _ in range(24):
        asked = due(engine.app.store, definition)
        seen.append([each["subject"] for each in asked])
        engine.app.request(asked)
        engine.settle_all()
        engine.clock.advance(3600)
    assert [len(turn) for turn in seen] == [2] * 24
    assert sorted(key for turn in seen for key in turn) == names
    assert [each["subject"] for each in due(engine.app.store, definition)] == ["s00", "s01"]


@pytest.mark.parametrize(("depot", "every", "said"), [
    (Depot(), DAY, "no layer of it can be read back: expected one with fetch"),
    (Readable(), timedelta(seconds=1), "expected a timedelta of a minute or more, got datetime.timedelta"),
])
def test_what_cannot_be_audited_is_found_when_it_is_declared(
        post: Opened, depot: Depot, every: timedelta, said: str) -> None:
    with pytest.raises(DeclarationError, match=f"parcels: audit_every: {said}"):
        post(depot, audit_every=every)
