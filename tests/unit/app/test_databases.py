"""Naming the databases that may be explained."""

import pytest

from penstock import Penstock
from penstock.domain.errors import ConfigurationError


def test_a_database_is_known_by_its_place_without_user_and_password():
    app = Penstock("sqlite:///unused.db")
    named = app.database("main", "postgresql://me:secret@db.example.com/shop", parameters="all")
    assert named.place == "postgresql://db.example.com:5432/shop"
    assert "secret" not in repr(named)
    assert app.keeping(named.place) == "all"
    assert app.keeping("postgresql://elsewhere:5432/shop") == "plain"


@pytest.mark.parametrize(("arguments", "fault"), [
    (("", "sqlite:///a.db"), "expected a name"),
    (("main", "sqlite:///a.db"), "is named already"),
    (("other", "mysql://me:secret@host/db"), r"expected a URL that begins with postgresql:// or sqlite:///, got 'mysql://…'"),
    (("other", None), "got None"),
])
def test_what_is_no_database_is_refused(arguments: tuple[str, str], fault: str):
    app = Penstock("sqlite:///unused.db")
    app.database("main", "sqlite:///main.db")
    with pytest.raises(ConfigurationError, match=fault) as refused:
        app.database(*arguments)
    assert "secret" not in str(refused.value)


def test_what_may_be_kept_is_one_of_three():
    with pytest.raises(ConfigurationError, match="parameters: expected one of all, plain, none, got 'some'"):
        Penstock("sqlite:///unused.db").database("main", "sqlite:///main.db", parameters="some")  # type: ignore[arg-type]
