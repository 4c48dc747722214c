"""What has the name of a secret is hidden, in JSON and in text; everything else stays as it is."""

import json

import pytest

from penstock.config import Settings
from penstock.domain.masking import HIDDEN, Masking

MASKING = Masking.of(Settings().web_masked)


@pytest.mark.parametrize("name", ["password", "Password", "db_password", "apiKey", "API-KEY", "x_api_key", "token",
                                  "access_token", "Authorization", "client-secret", "Set-Cookie", "passwd"])
def test_a_name_with_one_of_the_words_hides_its_value(name: str):
    found = json.loads(MASKING.json(json.dumps({"a": [{name: "hunter2", "b": 7}], name: {"deep": "hunter2"}})))
    assert found == {"a": [{name: HIDDEN, "b": 7}], name: HIDDEN}


@pytest.mark.parametrize("text", [
    "connect failed: password=hunter2", 'bad config {"api_key": "hunter2"}', "Authorization: Bearer hunter2",
    "https://x.example/?access_token=hunter2&page=1", "secret => 'hunter2'", 'token: "hun\\"hunter2"',
    "PASSWORD = hunter2",
    "{'client_secret': 'hunter2', 'id': 7}", "password=hunter2\npassword=hunter2",
])
def test_a_value_beside_such_a_name_is_hidden_in_text(text: str):
    found = MASKING.text(text)
    assert "hunter2" not in found
    assert HIDDEN in found


@pytest.mark.parametrize("text", ["", "no secrets here", "the token was refused", "KeyError: 'name'", "took 7: 3 s",
                                  "page=1&size=2"])
def test_other_text_stays_as_it_is(text: str):
    assert MASKING.text(text) == text


def test_what_is_said_around_a_secret_stays():
    assert MASKING.text("POST /?token=abc&page=2 failed: 503") == f"POST /?token={HIDDEN}&page=2 failed: 503"


def test_text_within_json_is_looked_through_too():
    assert json.loads(MASKING.json('["password=hunter2", 1, null, true]')) == [f"password={HIDDEN}", 1, None, True]


def test_what_is_no_json_is_looked_through_as_text():
    assert MASKING.json("{password=hunter2") == f"{{password={HIDDEN}"
    assert MASKING.json("") == ""


def test_what_lies_too_deep_to_look_at_is_hidden():
    assert "hunter2" not in MASKING.json("[" * 200 + '{"password": "hunter2"}' + "]" * 200)
    assert "hunter2" not in MASKING.json("[" * 200_000 + "hunter2 password=hunter2")[-9:]


def test_the_words_are_those_of_the_setting_and_none_hide_nothing():
    assert Masking.of(" Ssn , ,iban ").words == ("iban", "ssn")
    kept = json.loads(Masking.of("ssn").json('{"customer_ssn": "1", "password": "2"}'))
    assert kept == {"customer_ssn": HIDDEN, "password": "2"}
    assert Masking.of("").text("password=hunter2") == "password=hunter2"


def test_long_text_takes_no_longer_than_its_length():
    """A pattern that tried every way to read such text would not end within this test."""
    for text in ("a" * 200_000, "password" * 20_000, 'token: "' + "\\" * 100_000, "secret=" * 20_000):
        MASKING.text(text)
