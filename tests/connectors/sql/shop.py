"""A sync from one database into another, of either kind: teams, people who belong to them, and what refers to both."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from penstock import Penstock
from penstock.connectors import SQLDestination, SQLSource
from penstock.domain.errors import Unavailable
from penstock.domain.records import Change, Outcome
from penstock.sync import Layer, Run, Subject, Sync
from tests.connectors.sql.database import Database

SOURCE = (
    "create table hr_team (code text primary key, title text)",
    "create table hr_person (id integer primary key, email text, name text, born date, team text)",
    "create table hr_badge (id integer primary key, person integer, team text, colour text)",
)
TEAMS, PEOPLE = "abc", 30


class Losing(SQLDestination):
    """What was committed is not answered, the next time a verb is called; once, or `before` it is carried out."""

    lost: str | None = None

    def create(self, changes: Any, run: Run) -> Any:
        return self._call(super().create, "create", changes, run)

    def update(self, changes: Any, run: Run) -> Any:
        return self._call(super().update, "update", changes, run)

    def _call(self, verb: Any, name: str, changes: list[Change], run: Run) -> list[Outcome | None]:
        outcomes: list[Outcome | None] = verb(changes, run)
        if self.lost == name:
            self.lost = None
            raise Unavailable("the answer was lost")
        return outcomes


@dataclass
class Shop:
    """`teams` are known by their key, `people` numbered and found by e-mail, `badges` known by what they refer to."""

    source: Database
    target: Database
    through: str | None = None
    teams: Losing = field(init=False)
    people: Losing = field(init=False)
    badges: Losing = field(init=False)

    def __post_init__(self) -> None:
        self.source.run(*SOURCE)
        number, document = (("integer primary key autoincrement", "text") if self.target.is_sqlite
                            else ("bigint generated always as identity primary key", "jsonb"))
        self.target.run(
            "create table team (code text primary key, title text not null)",
            f"create table person (id {number}, team text not null references team, email text not null unique,"
            f" name text check (name <> 'nobody'), extra {document}, born date)",
            "create table badge (team text references team, person bigint references person, colour text,"
            " primary key (team, person))")
        url = self.through or self.target.url
        self.teams = Losing(url, "team", key="code", batch_size=2)
        self.people = Losing(url, "person", match="email", parent="team", batch_size=7)
        self.badges = Losing(url, "badge", key=("team", "person"), parent="team", references="person", batch_size=11)
        self.source.insert("hr_team", [(code, f"Team {code}") for code in TEAMS])
        self.source.insert("hr_person", [
            (number, f"p{number}@x", f"name {number}", "1990-01-02", TEAMS[number % 3]) for number in range(PEOPLE)])
        self.source.insert("hr_badge", [(number, number, TEAMS[number % 2], "blue") for number in range(PEOPLE)])

    def app(self, url: str, now: str) -> Penstock:
        app = Penstock(url, now=now)
        kept = self

        class Teams(Layer[dict[str, Any]]):
            key = "code"
            source = SQLSource(kept.source.url, "select code, title from hr_team", key="code")
            destination = kept.teams

            def render(self, team: dict[str, Any], run: Run) -> dict[str, Any]:
                return {"title": team["title"]}

        class People(Layer[dict[str, Any]]):
            key, match, parent = "id", "email", Teams.by("team")
            source = SQLSource(kept.source.url, "select id, email, name, born, team from hr_person", key="id")
            destination = kept.people

            def render(self, person: dict[str, Any], run: Run) -> dict[str, Any]:
                return {"email": person["email"], "name": person["name"], "born": person["born"],
                        "extra": {"id": person["id"]}}

        class Badges(Layer[dict[str, Any]]):
            key, parent, references = "id", Teams.by("team"), [People.by("person")]
            source = SQLSource(kept.source.url, "select id, person, team, colour from hr_badge", key="id")
            destination = kept.badges

            def render(self, badge: dict[str, Any], run: Run) -> dict[str, Any]:
                return {"colour": badge["colour"]}

        @app.sync("shop")
        class ShopSync(Sync[str]):
            layers = [Teams, People, Badges]

            def subjects(self) -> Iterator[Subject]:
                yield Subject("all", account="acme")

        return app

    def differences(self) -> list[str]:
        """What of the source is not in the target exactly once, and the other way round."""
        wanted = {
            "team": self.source.run("select code, title from hr_team"),
            "person": self.source.run("select team, email, name, cast(born as text) from hr_person"),
            "badge": self.source.run("select b.team, email, colour from hr_badge b join hr_person p on p.id = person"),
        }
        found = {
            "team": self.target.run("select code, title from team"),
            "person": self.target.run("select team, email, name, cast(born as text) from person"),
            "badge": self.target.run("select b.team, p.email, b.colour from badge b join person p on p.id = person"),
        }
        return [f"{table}: {sorted(map(repr, set(wanted[table]) ^ set(found[table])))}"
                for table in wanted if sorted(wanted[table]) != sorted(found[table])]
