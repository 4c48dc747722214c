"""Placeholders of drivers are taken out of statements and put back, and nothing else is touched."""

import pytest

from penstock.advise.parsing.lexis import Unfinished, telling, words
from penstock.advise.parsing.placeholders import taken
from penstock.domain.advice import Dialect


@pytest.mark.parametrize(("text", "dialect", "neutral"), [
    ("select %s, '%%s' where a %% 2 = %s", "postgres", "select :p1, '%s' where a % 2 = :p2"),
    ("select %(a)s, %(b)s, %(a)s", "postgres", "select :p1, :p2, :p1"),
    ("select $2::int, $1, '$3'", "postgres", "select :p1::int, :p2, '$3'"),
    ("select ?, ':a', ?", "sqlite", "select :p1, ':a', :p2"),
    ("select :a, @b, :a -- :c", "sqlite", "select :p1, :p2, :p1 -- :c"),
    ("select 5 % 3, '50%' -- %s", "postgres", "select 5 % 3, '50%' -- %s"),
    ("select $tag$ $1 %s $tag$, x::text, \"%s\"", "postgres", "select $tag$ $1 %s $tag$, x::text, \"%s\""),
])
def test_what_is_taken_out_comes_back_as_it_was(text: str, dialect: Dialect, neutral: str) -> None:
    found, places = taken(text, dialect)
    assert found == neutral
    assert places.back(found) == text
    assert places.keeps(found)


def test_a_placeholder_without_a_value_is_told() -> None:
    _, places = taken("select $1, $2", "postgres")
    assert places.value(1, [1]) == 1
    with pytest.raises(LookupError):
        places.value(2, [1])


def test_positional_placeholders_keep_their_order_or_are_not_the_same() -> None:
    _, places = taken("select ? where a = ?", "sqlite")
    assert not places.keeps("select :p2 where a = :p1")
    _, places = taken("select :a where a = :b", "sqlite")
    assert places.keeps("select :p2 where a = :p1")


@pytest.mark.parametrize("text", ["select 'a", 'select "a', "select $x$ a", "select 1 /* /* */", "select E'a\\'"])
def test_what_has_no_end_is_no_statement(text: str) -> None:
    with pytest.raises(Unfinished):
        words(text, "postgres")


@pytest.mark.parametrize(("text", "said"), [
    (r"select E'\'; drop table t; --'", ["select", r"E'\'; drop table t; --'"]),
    (r"select '\'; drop", ["select", r"'\'", ";", "drop"]),
    ("select /* /* */ ; */ 1", ["select", "1"]),
    ("select $a$;$a$, 1.5e-3", ["select", "$a$;$a$", ",", "1.5e-3"]),
])
def test_words_are_cut_as_the_server_cuts_them(text: str, said: list[str]) -> None:
    assert [word.text for word in telling(text, "postgres")] == said
    assert "".join(word.text for word in words(text, "postgres")) == text
