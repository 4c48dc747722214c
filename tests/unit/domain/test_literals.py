"""What is kept of a statement's text is code: its literals may be data."""

import pytest

from penstock.domain.fingerprint import fingerprint
from penstock.domain.literals import redacted
from penstock.domain.parameters import Keeping

SAID = ("select \"o'x\", 'it''s Ann', e'a\\'b' from t where status = 'pending' and id > 17 and mail = 'ann@example.org'"
        " /* for Ann */ and b = $$Ann$$ and c = %s -- Ann\n")


@pytest.mark.parametrize(("keeping", "told"), [
    ("all", SAID),
    ("plain", "select \"o'x\", '…', '…' from t where status = 'pending' and id > 17 and mail = '…'   and b = '…'"
              " and c = %s  \n"),
    ("none", "select \"o'x\", '…', '…' from t where status = '…' and id > 0 and mail = '…'   and b = '…'"
             " and c = %s  \n"),
])
def test_literals_that_may_be_data_are_left_out(keeping: Keeping, told: str):
    assert redacted(SAID, keeping) == told


@pytest.mark.parametrize("text", [
    SAID, "select '", "select $$", "/*", "select ':x' from t where a = :x and b = $1 and c = %(c1)s", "",
    "insert into t values (1, 'a b'), (2, 'c d')",
])
def test_it_is_the_same_statement_still(text: str):
    assert fingerprint(redacted(text, "plain")) == fingerprint(text)
    assert fingerprint(redacted(text, "none")) == fingerprint(text)


@pytest.mark.parametrize("text", ["select 1 from t where a = 'Ann ", "select e'Ann\\' ", "select $$Ann", "/* Ann",
                                  "select $x$Ann$$"])
def test_what_was_cut_through_is_left_out_as_well(text: str):
    assert "Ann" not in redacted(text, "plain")
