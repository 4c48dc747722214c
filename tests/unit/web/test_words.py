"""Numbers and spans as people read them."""

import pytest

from penstock.web import words


@pytest.mark.parametrize(("ms", "text"), [
    (None, "–"), (0, "0 s"), (999, "0 s"), (47_000, "47 s"), (200_000, "3 min 20 s"), (3_600_000, "1 h"),
    (8 * 3_600_000 + 61_000, "8 h 1 min"), (40 * 3_600_000, "1 d 16 h"), (30 * 86_400_000, "30 d"), (-5000, "5 s")])
def test_an_age(ms: int | None, text: str):
    assert words.age(ms) == text


@pytest.mark.parametrize(("key", "text"), [
    ("E1042", "E1042"), ('["doors-1","E1042"]', "doors-1 · E1042"), ('["one"]', '["one"]'), ('["broken', '["broken'),
    ("[1,2]", "[1,2]"), ("\x01ada@example.org\x01r7", "ada@example.org"), ("\x02E7", "E7 (a former key)")])
def test_a_key_is_read_by_its_parts(key: str, text: str):
    assert words.key(key) == text


def test_a_sentence_begins_and_ends():
    assert [words.sentence(text) for text in ("it was sent", "Why?", "")] == ["It was sent.", "Why?", "."]


@pytest.mark.parametrize(("ms", "text"), [(None, "–"), (0.04, "0.0 ms"), (0.8, "0.8 ms"), (145.4, "145 ms"),
                                          (1240, "1.24 s"), (12_400, "12.4 s"), (200_000, "3 min 20 s")])
def test_a_duration(ms: float | None, text: str):
    assert words.duration(ms) == text


@pytest.mark.parametrize(("count", "text"), [(None, "–"), (0, "0 B"), (999, "999 B"), (1400, "1.4 kB"),
                                             (250_000_000, "250 MB"), (3_000_000_000_000_000, "3000.0 TB")])
def test_a_size(count: int | None, text: str):
    assert words.size(count) == text


@pytest.mark.parametrize(("share", "text"), [(None, "–"), (0, "0%"), (0.0042, "0.4%"), (0.37, "37%"), (1, "100%")])
def test_a_share(share: float | None, text: str):
    assert words.percent(share) == text


def test_counts():
    assert (words.number(12345), words.number(3.456, 1), words.number(None)) == ("12,345", "3.5", "–")
    assert (words.upto(9_999), words.upto(10_000), words.upto(None)) == ("9,999", "10,000+", "–")


def test_times_are_utc():
    at = 1_800_000_000_000
    assert (words.time(at), words.day(at), words.iso(at), words.clock(at)) == (
        "15 Jan 08:00:00", "15 Jan 2027", "2027-01-15T08:00:00Z", "08:00")


@pytest.mark.parametrize(("summary", "text"), [
    ("3 deletes of sync a wait for approval; see `penstock approve a`", "3 deletes of sync a wait for approval."),
    ("over: queue mail is behind: a job has been due for 38 minutes", "Queue mail is behind: a job has been due for 38"
     " minutes."), ("orders.sync fails!", "orders.sync fails!"),
])
def test_an_alert_is_told_as_a_sentence_without_its_command(summary: str, text: str):
    assert words.told(summary) == text


@pytest.mark.parametrize(("spec", "zone", "told"), [
    ("every 3600 s", "UTC", ("every 1 h", "")), ("every 500 ms", "UTC", ("every 500 ms", "")),
    ("0 6 * * * Europe/London", "Europe/London", ("0 6 * * *", "Europe/London")), ("0 6 * * * UTC", None,
                                                                               ("0 6 * * * UTC", "")),
])
def test_a_schedule_as_people_read_it(spec: str, zone: str | None, told: tuple[str, str]):
    assert words.schedule(spec, zone) == told
