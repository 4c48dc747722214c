"""Identical errors are one class, whatever they say of single records; and nothing secret is kept of them."""

import pytest

from penstock.sync.state.failures import ErrorClass, Failure, class_name
from penstock.sync.state.messages import kept, kept_class, pattern, plain

SAME = [
    ("campaign 12345 not found", "campaign 9 not found"),
    ("No user 'ann'", "No user 'bob o.'"),
    ('value "a" is taken', 'value "b c" is taken'),
    ("mail to ann@example.com bounced", "mail to bob.b@example.org bounced"),
    ("see https://example.com/a?b=1", "see https://example.com/errors/7"),
    ("id 6ba7b810-9dad-11d1-80b4-00c04fd430c8 is gone", "id 00000000-9dad-11d1-80b4-00c04fd430c9 is gone"),
    ("conflicts with r1, r22 and r333", "conflicts with r4"),
    ("too  long\nby 3", "too long by 17"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_messages_that_differ_in_numbers_names_and_addresses_have_one_pattern(one: str, other: str) -> None:
    assert pattern(one) == pattern(other)
    assert len(pattern(one)) > 2


@pytest.mark.parametrize(("one", "other"), [
    ("the name is too long", "the name is too short"), ("can't be empty", "can't be read"), ("", "no"),
])
def test_messages_that_say_something_else_have_not(one: str, other: str) -> None:
    assert pattern(one) != pattern(other)


def test_the_key_of_the_record_does_not_count() -> None:
    assert pattern("ann has no mail", "ann") == pattern("bob has no mail", "bob")


def failure(key: str, error: str, **more: object) -> Failure:
    row = {"status": "failed", "key": key, "error_class": "Too-Long", "error": error, "attempts": 1, "retry_at": None,
           "changed_at": 5, **more}
    return Failure(**row)  # type: ignore[arg-type]


def test_a_class_is_of_one_layer_state_code_and_pattern() -> None:
    name = class_name("People", failure("a", "is 300 long"))
    assert name.startswith("too_long-")
    assert class_name("People", failure("b", "is 417 long")) == name
    others = {class_name("Groups", failure("a", "is 300 long")), class_name("People", failure("a", "is odd")),
              class_name("People", failure("a", "is 300 long", status="in_doubt")),
              class_name("People", failure("a", "is 300 long", error_class="413"))}
    assert len(others | {name}) == 5


def test_a_class_counts_its_records_and_keeps_a_few() -> None:
    found = ErrorClass("People", "x", "failed", "x", "")
    for number in range(5):
        found.add(failure(f"k{number}", f"message {number}", changed_at=10 - number, retry_at=100 + number))
    assert (found.count, found.keys, found.first_at, found.last_at) == (5, ["k0", "k1", "k2"], 6, 10)
    assert (found.message, found.retry_at) == ("message 0", 100)


@pytest.mark.parametrize("secret", [
    "Bearer abcdefgh.12345678", "authorization: Basic dXNlcjpwYXNz", '{"access_token": "hunter2-hunter2"}',
    "api_key=hunter2&q=1", "password: hunter2",
])
def test_secrets_are_not_kept(secret: str) -> None:
    said = kept(f"refused ({secret}) for now")
    assert "[redacted]" in said
    assert not any(part in said for part in ("hunter2", "abcdefgh", "dXNlcjpwYXNz"))
    assert "for now" in said


def test_ordinary_words_are_kept() -> None:
    said = "the token is too old, and the basic plan has no passwords"
    assert kept(said) == said


def test_what_is_kept_is_bounded_and_storable() -> None:
    assert len(kept("x" * 10_000)) == 500
    assert kept("a\0b\ud800").encode() == "a\N{REPLACEMENT CHARACTER}b?".encode()
    assert (kept_class(409), kept_class(""), len(kept_class("x" * 999))) == ("409", "rejected", 100)


@pytest.mark.parametrize(("code", "expected"), [("Rate-Limited", "rate_limited"), (429, "429"), ("  too  fast! ",
                                                                                                "too_fast")])
def test_codes_are_compared_without_their_spelling(code: object, expected: str) -> None:
    assert plain(code) == expected
