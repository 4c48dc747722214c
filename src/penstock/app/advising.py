"""Advice, asked for through the app: what was traced, in the databases that were named, with what it came to before."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from penstock.app.declaring import SYNC_QUEUE
from penstock.app.looking import Looking
from penstock.app.observing import DAY
from penstock.domain.errors import ConfigurationError
from penstock.domain.traces import Kind, StatementSeen, database_of, is_control
from penstock.events import WorkAdvised
from penstock.observe import reading

if TYPE_CHECKING:
    from penstock.advise.asking.options import Options
    from penstock.advise.shipping.following import Followed, Kept
    from penstock.advise.shipping.migration import Style
    from penstock.advise.shipping.unneeded import Unneeded
    from penstock.advise.shipping.writing import Written
    from penstock.app.advised import AdviceFound
    from penstock.domain.advice import Advice

_LOOKED_BACK = (DAY, 7 * DAY, 30 * DAY)
_LEAST_SHARE = 0.05


class Advised(msgspec.Struct, frozen=True, kw_only=True):
    """The advice on work of one name. Times are microseconds.

    `seen` are the statements asked about, in the order of `advice`; `left` says in words why others were not.
    `followed` is what became of what was advised before, `unneeded` are indexes of their tables that only cost.
    """

    kind: Kind
    name: str
    total_us: int
    seen: list[StatementSeen]
    advice: "list[Advice]"
    left: list[str]
    followed: "list[Followed]"
    unneeded: "list[Unneeded]"


class Advising(Looking):
    """`advise`, and what was advised."""

    def advise(self, name: str, *, kind: Kind | None = None, since: timedelta | None = None, on: str | None = None,
               limit: int = 3, options: "Options | None" = None,
               tell: Callable[[str], None] = lambda line: None) -> Advised:
        """What would make work of a name faster: plans, proposals and verdicts on its slowest statements.

        Of the last day, or of the last week or month where nothing was traced; or of `since`. Only statements of
        databases that were named by `database` are asked about, at most `limit`. `on` is the URL of a copy that may be
        experimented on: what is tried there is measured, and gone afterwards. Nothing is changed anywhere else. What is
        to be shipped is kept, and watched once it is there. Raises `ConfigurationError` for a copy that is a named
        database, or where nothing was traced; `AdviceUnavailable` where a database cannot be reached; `TrialFailed`.
        """
        from penstock.advise.asking.keeping import PlansKept
        from penstock.advise.session import advise
        from penstock.advise.shipping.following import AdviceKept

        self._refuse_named(on)
        work = next((found for back in ((since,) if since else _LOOKED_BACK)
                     if (found := self.work(name, kind=kind, since=back)).trace.traces), None)
        if work is None:
            raise ConfigurationError(f"advise: nothing was traced as {name!r}{self.near(name)}: `penstock traces` lists"
                                     " what was")
        urls = {each.place: each.url for each in self.databases.values()}
        chosen, left = _chosen(work.statements, work.trace.total_us, urls, limit)
        own = self.settings.url if self.store.dialect == "postgres" else None
        advised: list[Advice] = []
        for place in dict.fromkeys(each.database for each in chosen):
            mine = [each for each in chosen if each.database == place]
            advised += advise(mine, urls[place or ""], copy=on, own=own, options=self._options(options, place),
                            kept=PlansKept(self.store, self.events), tell=tell, siblings=[
                                each for each in work.statements if each.database == place and each not in mine])
        followed = self.followed(name)
        AdviceKept(self.store).keep(name, advised)
        self.events.emit(WorkAdvised(name=name, statements=len(chosen),
                                     to_ship=len([each for each in advised if each.first is not None])))
        order = {each.fingerprint: number for number, each in enumerate(chosen)}
        return Advised(kind=work.trace.kind, name=name, total_us=work.trace.total_us, seen=chosen, left=left,
                       advice=sorted(advised, key=lambda each: order[each.fingerprint]), followed=followed,
                       unneeded=self._unneeded(advised))

    def followed(self, name: str | None = None) -> "list[Followed]":
        """What became of what was advised, under a name or in all: whether it is there, and what it changed.

        The databases are asked. Raises `AdviceUnavailable`.
        """
        from penstock.advise.asking.opening import open_examined
        from penstock.advise.shipping.following import AdviceKept, follow

        kept = AdviceKept(self.store)
        places = {each.database for each in kept.of(name)}
        found: list[Followed] = []
        for each in self.databases.values():
            if each.place in places:
                with open_examined(each.url) as database:
                    found += follow(kept, database, each.place, self._hours, reading.now(self.store), name)
        return found

    def advice_kept(self, name: str | None = None) -> "list[Kept]":
        """What was advised under a name, or under all, the newest change first: at most 200."""
        from penstock.advise.shipping.following import AdviceKept

        return AdviceKept(self.store).of(name)

    def advice_found(self, id: str) -> "AdviceFound | None":
        """All that the store has of one piece of advice; None where there is none of this id."""
        from penstock.advise.shipping.following import AdviceKept
        from penstock.app.advised import found

        kept = AdviceKept(self.store).one(id)
        return None if kept is None else found(self.store, kept, self._queues(kept.name))

    def _unneeded(self, advised: "Sequence[Advice]") -> "list[Unneeded]":
        """Indexes that only cost, of the tables that some statements read."""
        from penstock.advise.asking.opening import open_examined
        from penstock.advise.shipping.unneeded import unneeded

        found: list[Unneeded] = []
        for each in self.databases.values():
            tables = [table for advice in advised if advice.database == each.place and advice.query is not None
                      for table in advice.query.tables]
            if tables:
                with open_examined(each.url) as database:
                    found += unneeded(database.schema(list(dict.fromkeys(tables))))
        return found

    def _hours(self, fingerprint: str, database: str, since: int, until: int) -> list[StatementSeen]:
        return list(reading.statement_hours(self.store, since, until, fingerprint, database).values())

    def migrations(self, name: str, style: "Style", *, previous: str | None = None) -> "Written":
        """Migrations that make the indexes which were advised under a name, and which are to be shipped.

        `previous` is the migration before the first. Nothing is run. Raises `ConfigurationError`.
        """
        from penstock.advise.shipping.following import AdviceKept
        from penstock.advise.shipping.writing import write_migrations

        urls = {each.place: each.url for each in self.databases.values()}
        return write_migrations(AdviceKept(self.store).of(name), style, urls=urls, queues=self._queues(name),
                                previous=previous)

    def _queues(self, name: str) -> list[str]:
        return [self.tasks[name].queue] if name in self.tasks else [SYNC_QUEUE] if name in self.syncs else []

    def _options(self, options: "Options | None", place: str | None) -> "Options":
        from penstock.advise.asking.options import Options

        options = options or Options()
        return msgspec.structs.replace(options, redact=False) if self.keeping(place) == "all" else options

    def _refuse_named(self, on: str | None) -> None:
        """What is explained is never experimented on, nor is the store."""
        if on is None:
            return
        place = database_of(on)
        for each in self.databases.values():
            if each.place == place:
                raise ConfigurationError(f"--on: expected a copy to experiment on, got {place}, which is the database"
                                         f" {each.name!r} itself: name a QA copy, a fork or a restored dump")
        if database_of(self.settings.url) == place:
            raise ConfigurationError(f"--on: expected a copy to experiment on, got {place}, in which Penstock itself"
                                     " lives")


def _chosen(statements: Sequence[StatementSeen], total_us: int, urls: dict[str, str], limit: int
            ) -> tuple[list[StatementSeen], list[str]]:
    """The slowest statements of named databases, and why others are left."""
    chosen: list[StatementSeen] = []
    left: list[str] = []
    unnamed: dict[str, int] = {}
    for each in sorted(statements, key=lambda each: -each.total_us):
        if is_control(each.text):
            continue
        if each.total_us < total_us * _LEAST_SHARE and chosen:
            break
        if each.database not in urls:
            place = each.database or "a database that its driver did not tell"
            unnamed[place] = unnamed.get(place, 0) + 1
        elif len(chosen) < limit:
            chosen.append(each)
    left += [f"{count} of its statements went to {place}, which no app.database(…) names, so they are not explained"
             for place, count in unnamed.items()]
    return chosen, left
