"""`penstock advise` on SQLite files, and what it says to whoever asks for what there is not."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import penstock as public
from tests.cli.conftest import Command, Written

_APP = """
import sqlite3
import penstock
from penstock import Penstock

app = Penstock()
app.database("shop", "sqlite:///{folder}/shop.db")
penstock.instrument("sqlite3")


def ask(name, database, count):
    with penstock.trace(name, app=app):
        connection = sqlite3.connect(database)
        for number in range(count):
            connection.execute("select id, total from orders where mail = ?", (f"mail{{number}}",)).fetchall()
        connection.close()
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which a look-up reads the whole table."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute("create table orders (id integer primary key, mail text not null, total integer, note text)")
    connection.executemany("insert into orders (mail, total, note) values (?, ?, ?)",
                           ((f"mail{number % 5000}", number, "x" * 60) for number in range(20_000)))
    connection.commit()
    connection.execute("analyze")
    connection.close()
    return path


@pytest.fixture
def penstock(written: Written, tmp_path: Path, shop: Path) -> Iterator[Command]:
    """Runs a command on the app, of which two names were traced: one in the named database, one elsewhere."""
    shutil.copy(shop, tmp_path / "shop.db")
    shutil.copy(shop, tmp_path / "copy.db")
    command = written("advised", _APP.format(folder=tmp_path))

    import advised  # type: ignore[import-not-found]

    with advised.app:
        advised.ask("by-mail", str(tmp_path / "shop.db"), 20)
        advised.ask("elsewhere", str(tmp_path / "copy.db"), 2)
    yield command
    public.uninstrument("sqlite3")


def indexes(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        found = [row[0] for row in connection.execute("select name from sqlite_master where type = 'index'")]
    connection.close()
    return found


def test_an_index_is_proposed_then_measured_on_a_copy_and_written_down(penstock: Command, tmp_path: Path) -> None:
    code, out, _ = penstock("advise", "by-mail")
    assert code == 0
    assert "index orders_mail_idx on orders (mail)" in out
    code, out, _ = penstock("advise", "by-mail", "--on", f"sqlite:///{tmp_path}/copy.db", "--json")
    assert code == 0
    (advice,) = json.loads(out)["advice"]
    first = advice["verdicts"][0]
    assert (first["decision"], first["confidence"], first["candidate"]["name"]) == ("ship", "confirmed",
                                                                                   "orders_mail_idx")
    assert indexes(tmp_path / "shop.db") == indexes(tmp_path / "copy.db") == []
    code, out, err = penstock("advise", "by-mail", "--migration", "sql")
    assert (code, err) == (0, "")
    assert "CREATE INDEX orders_mail_idx ON orders (mail);" in out


def test_what_is_measured_for_a_migration_is_in_it(penstock: Command, tmp_path: Path) -> None:
    code, out, err = penstock("advise", "by-mail", "--on", f"sqlite:///{tmp_path}/copy.db", "--migration", "sql")
    assert (code, err) == (0, "")
    assert "CREATE INDEX orders_mail_idx ON orders (mail);" in out


def test_once_it_is_there_it_is_watched_and_not_written_down_again(penstock: Command, tmp_path: Path) -> None:
    penstock("advise", "by-mail", "--on", f"sqlite:///{tmp_path}/copy.db")
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("create index by_mail on orders (mail)")
    connection.close()
    code, out, _ = penstock("advise", "by-mail")
    assert code == 0
    assert "before: by_mail was shipped" in out
    assert "index orders_mail_idx" not in out
    code, out, err = penstock("advise", "by-mail", "--migration", "sql")
    assert (code, out) == (1, "")
    assert "orders_mail_idx is there already: shipped" in err


@pytest.mark.parametrize(("arguments", "code", "says"), [
    (("by-mial",), 2, "nothing was traced as 'by-mial'; did you mean 'by-mail'?"),
    (("by-mail", "--on", "sqlite:///{folder}/shop.db"), 2, "which is the database 'shop' itself"),
    (("by-mail", "--on", "mysql://root@host/shop"), 1, "got a database of another kind"),
    (("by-mail", "--on", "sqlite:///{folder}/nowhere.db"), 1, "nowhere.db"),
    (("by-mail", "--previous", "0001"), 2, "--previous: expected --migration"),
    (("by-mail", "--since", "soon"), 2, "--since: expected a time such as"),
])
def test_what_is_wrong_is_said_with_what_to_do(penstock: Command, tmp_path: Path, arguments: tuple[str, ...], code: int,
                                               says: str) -> None:
    ended, out, err = penstock("advise", *(each.format(folder=tmp_path) for each in arguments))
    assert (ended, out) == (code, "")
    assert says in err


def test_statements_of_databases_that_nobody_named_are_told_of(penstock: Command) -> None:
    code, out, _ = penstock("advise", "elsewhere")
    assert code == 0
    assert "which no app.database(…) names, so they are not explained" in out
