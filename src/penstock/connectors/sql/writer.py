"""The verbs of a SQL destination within one transaction: one statement for each change, and what became of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from penstock.connectors.sql.commands import Commands
from penstock.connectors.sql.rows import Rows, Values, remote_id_of
from penstock.connectors.sql.session import UNIQUENESS, Answer, Refusal, Row, Session, Step, Undone
from penstock.domain.records import GONE, Change, Done, Outcome, Rejected

ALREADY = "already_exists"
"""The code of a create that meets a row with its value of match: the engine looks that row up, and adopts it."""

_NO_ID = Rejected("remote_id", "the remote id in Penstock's state is none of this table; was key= another before?")
_ANOTHERS = Rejected(UNIQUENESS, "the row with this key belongs to another account or subject; no two of them can share"
                                 " a key in this table")
_SPELLING = Rejected(UNIQUENESS, "the database takes this key for that of another record, from which it differs in"
                                 " spelling only; two records of the source cannot share a row")
_CHANGED = Rejected("changed_since", "somebody else has changed this row since it was written last, and it was left as"
                                     " it is; forget this record's state, and the next run takes the row over")

Outcomes = dict[int, Outcome]
"""By the place of the change."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Carries out changes on one session, which is in a transaction."""

    session: Session
    commands: Commands
    rows: Rows

    def create(self, changes: Sequence[Change]) -> list[Outcome]:
        """A new row for each; where the record brings its key, else the values of the row that has it already."""
        outcomes: Outcomes = {}
        rows = {place: self._numbered(row) for place, row in self._rows(changes, outcomes)}
        if self.rows.layout.key:
            self._upsert(rows, outcomes)
        else:
            steps = {place: Step(self.commands.insert([*row]), [*row.values()]) for place, row in rows.items()}
            for place, answer in self._answers(steps):
                outcomes[place] = self._already(answer) if isinstance(answer, Refusal) else Done(_id(answer))
        return self._settled(changes, outcomes)

    def update(self, changes: Sequence[Change]) -> list[Outcome]:
        """The row of each gets its values; one that is gone is made anew where the record brings its key."""
        outcomes: Outcomes = {}
        rows = dict(self._rows(changes, outcomes))
        wanted = {place: row | self.rows.dropped(changes[place]) for place, row in rows.items()}
        found = dict(self._places({place: changes[place] for place in rows}, outcomes))
        steps = {}
        for place, where in found.items():
            values = self._changed(wanted[place], where)
            where = where | self._condition(changes[place])
            steps[place] = Step(self.commands.update([*values], [*where]), [*values.values(), *where.values()])
        missing = []
        for place, answer in self._answers(steps):
            if isinstance(answer, Refusal):
                outcomes[place] = answer.rejected
            elif answer:
                outcomes[place] = Done(_id(answer))
            else:
                missing.append(place)
        self._not_written({place: (found[place], wanted[place]) for place in missing
                           if self._condition(changes[place])}, outcomes)
        gone = [place for place in missing if place not in outcomes]
        if self.rows.layout.key:
            self._upsert({place: self._numbered(rows[place]) for place in gone}, outcomes)
        else:
            outcomes |= dict.fromkeys(gone, Rejected(GONE, f"the table {self.rows.layout} has no such row any more"))
        return self._settled(changes, outcomes)

    def delete(self, changes: Sequence[Change]) -> list[Outcome]:
        """No row for each; one that is gone already counts as done."""
        return self._by_id(changes, lambda where: Step(self.commands.delete([*where]), [*where.values()]))

    def disable(self, changes: Sequence[Change]) -> list[Outcome]:
        """The row of each says that it is not active; one that is gone already counts as done."""
        assert self.rows.layout.active is not None
        off = self.rows.bind({self.rows.layout.active: False})
        return self._by_id(changes, lambda where: Step(self.commands.update([*off], [*where]),
                                                       [*off.values(), *where.values()]))

    def _by_id(self, changes: Sequence[Change], step: Callable[[Values], Step]) -> list[Outcome]:
        outcomes: Outcomes = {}
        steps = {place: step(where) for place, where in self._places(dict(enumerate(changes)), outcomes)}
        for place, answer in self._answers(steps):
            done = Done(changes[place].remote_id)
            outcomes[place] = answer.rejected if isinstance(answer, Refusal) else done
        return self._settled(changes, outcomes)

    def _rows(self, changes: Sequence[Change], outcomes: Outcomes) -> Iterable[tuple[int, Values]]:
        """The row that each change asks for, by its place; a change that can ask for none has its outcome."""
        for place, change in enumerate(changes):
            row = self.rows.row(change)
            if isinstance(row, Rejected):
                outcomes[place] = row
            else:
                yield place, row

    def _places(self, changes: Mapping[int, Change], outcomes: Outcomes) -> Iterable[tuple[int, Values]]:
        """By what the row of each change is found; a change whose remote id is none of this table has its outcome."""
        for place, change in changes.items():
            where = self.rows.place(change.remote_id)
            if where is None:
                outcomes[place] = _NO_ID
            else:
                yield place, where

    def _answers(self, steps: Mapping[int, Step]) -> Iterable[tuple[int, Answer]]:
        return zip(steps, self.session.carry_out([*steps.values()]), strict=True)

    def _numbered(self, row: Values) -> Values:
        """A new row with its first version, where nobody else gives it one."""
        version = self.rows.layout.version
        if version is None or not self.commands.counted or self.rows.table.columns[version].automatic:
            return row
        return row | self.rows.bind({version: 1})

    def _changed(self, wanted: Values, where: Values) -> Values:
        """What an update sets: not whose the row is, nor its key unless that is another by now."""
        fixed = self.rows.owner().keys() | {name for name in self.rows.layout.key if where[name] == str(wanted[name])}
        return {name: value for name, value in wanted.items() if name not in fixed}

    def _condition(self, change: Change) -> Values:
        version = self.rows.layout.version
        return {} if version is None or change.version is None else {version: change.version}

    def _already(self, refusal: Refusal) -> Rejected:
        """A create that is refused for the value of match says so: the row that has it may be this record's."""
        columns = self.rows.table.unique.get(refusal.constraint or "", refusal.columns)
        met = refusal.rejected.code == UNIQUENESS and self.rows.layout.match in columns
        return replace(refusal.rejected, code=ALREADY) if met else refusal.rejected

    def _upsert(self, rows: Mapping[int, Values], outcomes: Outcomes) -> None:
        """Make each row, or give its values to the row that has its key."""
        steps = {place: Step(self.commands.upsert([*row]), [*row.values()]) for place, row in rows.items()}
        ids: dict[int, str | None] = {}
        for place, answer in self._answers(steps):
            if isinstance(answer, Refusal):
                outcomes[place] = answer.rejected
            elif not answer:
                outcomes[place] = _ANOTHERS
            else:
                ids[place] = _id(answer)
                outcomes[place] = Done(ids[place])
        expected = {place: remote_id_of([str(rows[place][name]) for name in self.rows.layout.key]) for place in ids}
        respelled = [remote_id for place, remote_id in ids.items() if remote_id and remote_id != expected[place]]
        if len(set(ids.values())) < len(ids) or (respelled and self.rows.run.held(respelled)):
            raise Undone(Refusal(_SPELLING))

    def _not_written(self, conditional: Mapping[int, tuple[Values, Values]], outcomes: Outcomes) -> None:
        """Of updates that met no row of their version: those that our own lost write has carried out are done, and
        those whose row is there are left as somebody else has made them."""
        same = {place: Step(self.commands.select(self.commands.identity, [*where], same=[*wanted]),
                            [*where.values(), *wanted.values()]) for place, (where, wanted) in conditional.items()}
        for place, answer in self._answers(same):
            if answer and not isinstance(answer, Refusal):
                outcomes[place] = Done(_id(answer))
        there = {place: Step(self.commands.select(self.commands.identity, [*where]), [*where.values()])
                 for place, (where, _) in conditional.items() if place not in outcomes}
        for place, answer in self._answers(there):
            if answer:
                outcomes[place] = _CHANGED

    def _settled(self, changes: Sequence[Change], outcomes: Outcomes) -> list[Outcome]:
        """The outcomes in order, with the versions of what was written.

        A version is read, not returned by the statement that writes: that does not see what triggers do later.
        """
        version = self.rows.layout.version
        if version is not None:
            done = {place: self.rows.place(outcome.remote_id) or {} for place, outcome in outcomes.items()
                    if isinstance(outcome, Done)}
            steps = {place: Step(self.commands.select([version], [*where]), [*where.values()])
                     for place, where in done.items()}
            for place, answer in self._answers(steps):
                if answer and not isinstance(answer, Refusal):
                    outcomes[place] = Done(outcomes[place].remote_id, answer[0][0])  # type: ignore[union-attr]
        return [outcomes[place] for place in range(len(changes))]


def _id(answer: list[Row]) -> str | None:
    return remote_id_of(answer[0])
