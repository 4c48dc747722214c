"""What the text of a statement tells without being parsed."""

import pytest

from penstock.observe.patterns.shapes import (
    goes_on,
    has_limit,
    has_offset,
    is_point,
    is_same_always,
    is_select,
    takes_all_columns,
)


@pytest.mark.parametrize("text", [
    "SELECT name FROM author WHERE id = %s", "select a.* from a join b on a.id = b.a where b.id = $1",
    'select "name" from "author" where "id" = :id limit 21', "select name from author where id = any(%s)",
    "with x as (select 1 as id from a) select name from x where id = 7", "select count(*) from b where a_id = ?",
])
def test_look_ups_by_value(text: str) -> None:
    assert is_point(text)


@pytest.mark.parametrize("text", [
    "select name from author", "select name from author where id > %s", "select name from author where id <> %s",
    "select name from author where (a, b) > (%s, %s)", "select name from author where id = %s for update",
    "select name from author where id = %s offset 5", "update author set name = %s where id = %s returning id",
    "with gone as (delete from author where id = %s returning id) select id from gone where id = %s",
    "select author.id from author join b on author.id = b.id", "select nextval('x')", "",
])
def test_what_is_no_look_up(text: str) -> None:
    assert not is_point(text)


def test_limits_offsets_and_cursors() -> None:
    assert has_limit("select a from b fetch first 5 rows only")
    assert not has_limit('select "limit" from b')
    assert has_offset("select a from b limit 5, 10")
    assert not has_offset("select a from b limit 5")
    assert goes_on("select a from b where (x, y) > (%s, %s) limit 5")
    assert goes_on("select a from b where id >= 7")
    assert not goes_on("select a from b where id <> 7")


def test_stars() -> None:
    assert takes_all_columns("select * from a")
    assert takes_all_columns("SELECT a.*, b.id FROM a, b")
    assert not takes_all_columns("select count(*) from a")
    assert not takes_all_columns("with x as (select * from a) select id from x")
    assert not takes_all_columns("select a * 2 from a")


def test_what_asks_for_the_same_each_time() -> None:
    assert is_same_always("select sku, price from price_list order by sku")
    assert not is_same_always("select sku from price_list where customer = 7")
    assert not is_same_always("select sku from price_list where sku in (%s, %s)")
    assert not is_select("insert into a select b from c")
