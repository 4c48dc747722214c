"""Tokens: drawn, kept as hashes, told apart, and said to be wrong where they are."""

import pytest

from penstock.domain.errors import ConfigurationError
from penstock.web.people import PREFIX, People, hashed, new_token


def test_a_new_token_lets_its_person_in_and_is_not_in_the_setting():
    token, setting = new_token("anna", ("read", "operate"))
    assert token.startswith(PREFIX)
    assert token not in setting
    person = People.read(setting).of_token(token)
    assert person is not None
    assert (person.name, person.scopes) == ("anna", {"read", "operate"})
    assert People.read(setting).of_token(token + "x") is None
    assert People.read(setting).of_token(hashed(token)) is None


def test_whoever_may_do_anything_may_look():
    token, setting = new_token("anna", ("approve",))
    person = People.read(setting).of_token(token)
    assert person is not None
    assert person.scopes == {"approve", "read"}


def test_no_two_tokens_are_alike():
    assert len({new_token("anna", ("read",))[0] for _ in range(100)}) == 100


def test_nobody_is_listed():
    assert not People.read(None)
    assert not People.read(" , \n")


@pytest.mark.parametrize("listed", ["anna", "anna=read", "anna=read:123", "=read:" + "0" * 64, "anna=:" + "0" * 64,
                                    "anna=fly:" + "0" * 64, "an na=read:" + "0" * 64, "anna=read:" + "G" * 64])
def test_an_entry_that_cannot_be_is_refused(listed: str):
    with pytest.raises(ConfigurationError, match="web_tokens"):
        People.read(listed)


def test_two_of_one_name_are_refused():
    with pytest.raises(ConfigurationError, match="two of this name"):
        People.read(f"anna=read:{'0' * 64}, anna=read:{'1' * 64}")
