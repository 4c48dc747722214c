"""Who changed what: written before the change and after it, found again by who and by what, and pruned."""

from penstock import Penstock
from penstock.app.journaling import prune_journal
from tests.clock import START_MS, Clock


def test_a_change_is_written_before_it_is_made_and_again_after_it(app: Penstock):
    id = app.journal_begin("anna", "/jobs/{id}/retry", "/jobs/7/retry")
    (entry,) = app.journal()
    assert (entry.at, entry.actor, entry.about, entry.said) == (START_MS, "anna", "/jobs/7/retry", None)
    app.journal_end(id, said="job 7 was requeued", about="job:7", before="discarded", after="available")
    (entry,) = app.journal()
    assert (entry.about, entry.before, entry.after, entry.said) == (
        "job:7", "discarded", "available", "job 7 was requeued")


def test_what_is_written_is_bounded_and_storable(app: Penstock):
    id = app.journal_begin("a" * 5000, "b\0c", "d")
    app.journal_end(id, said="e" * 50_000, after="\ud800")
    (entry,) = app.journal()
    assert max(len(text) for text in (entry.actor, entry.said or "")) <= 2000


def test_the_newest_is_first_and_pages_follow_one_another(app: Penstock):
    ids = [app.journal_begin(f"person {n % 2}", "act", f"job:{n % 3}") for n in range(6)]
    assert [entry.id for entry in app.journal(limit=4)] == ids[:1:-1]
    assert [entry.id for entry in app.journal(before=ids[2])] == ids[1::-1]
    assert [entry.id for entry in app.journal(actor="person 1")] == [ids[5], ids[3], ids[1]]
    assert [entry.id for entry in app.journal(actor="person 1", about="job:0")] == [ids[3]]


def test_it_is_kept_for_as_long_as_the_settings_say(app: Penstock, clock: Clock):
    app.journal_begin("anna", "act", "job:1")
    clock.advance(2 * 86_400)
    app.journal_begin("anna", "act", "job:2")
    prune_journal(app.store, 2.5)
    assert len(app.journal()) == 2
    prune_journal(app.store, 1)
    assert [entry.about for entry in app.journal()] == ["job:2"]
