"""What was advised is kept, found again once somebody has shipped it, and watched from then on.

Nobody tells Penstock that a migration was run: it finds an index with the columns that it had proposed. What came
before that moment counts as *before*, so it is best to ask for advice once after shipping.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b

import msgspec

from penstock.advise.asking.database import Examined
from penstock.advise.shipping.watch import Span, Watched, compare
from penstock.domain.advice import Advice, Candidate, Index, Rejection, Schema, Verdict
from penstock.domain.traces import StatementSeen
from penstock.store.port import Row, Store, Transaction

_MOST = 200
_MOST_OTHERS, _LONGEST_TEXT = 20, 20_000
_BEFORE_MS = 28 * 86_400_000
"""So far back is looked for what it was like before."""

Hours = Callable[[str, str, int, int], Sequence[StatementSeen]]
"""What a statement came to, hour by hour: of a fingerprint in a database, since and until milliseconds of the epoch."""


class Considered(msgspec.Struct, frozen=True, kw_only=True):
    """What else was said of the statement when the candidate was proposed: what was not to be shipped and why, what is
    wrong with its plans, and what a person should know."""

    text: str
    verdicts: tuple[Verdict, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    trap: str | None = None
    flipped: str | None = None
    notes: tuple[str, ...] = ()


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that was to be shipped. `state` is `proposed`, `shipped`, or what became of it; moments are
    milliseconds of the epoch, and `changed_at` is when the state was last another one. `after` says what it came to.
    `considered` is None of what was kept before that was noted."""

    id: str
    fingerprint: str
    database: str
    name: str
    candidate: Candidate
    verdict: Verdict
    state: str
    made_at: int
    changed_at: int
    after: str | None = None
    considered: Considered | None = None


class _Content(msgspec.Struct, frozen=True, array_like=True):
    candidate: Candidate
    verdict: Verdict
    considered: Considered | None = None


_CONTENT = msgspec.json.Decoder(_Content)


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one of them: `index` is the one that was found, None where nobody has shipped it yet."""

    kept: Kept
    index: str | None = None
    watched: Watched | None = None

    @property
    def says(self) -> str:
        name = self.kept.candidate.name
        if self.index is None:
            return f"{name} was proposed and not shipped yet"
        return f"{self.index}: {self.watched.says}" if self.watched else f"{self.index} was shipped"


class AdviceKept:
    """Advice in Penstock's own store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, name: str, advices: Sequence[Advice]) -> None:
        """Keep what is to be shipped for the work of a name; what is known already stays as old as it is."""
        def put(tx: Transaction) -> None:
            for advice in advices:
                if (verdict := advice.first) is not None and verdict.candidate is not None:
                    plan = verdict.before.text if verdict.before else None
                    tx.execute("advice_put", {
                        "id": _id(advice, verdict.candidate), "fingerprint": advice.fingerprint,
                        "database": advice.database, "name": name, "candidate": verdict.candidate.name,
                        "verdict": verdict.decision, "before": plan,
                        "content": msgspec.json.encode(_Content(verdict.candidate, verdict, _considered(advice))
                                                       ).decode()})

        self._store.write(put)

    def of(self, name: str | None = None) -> list[Kept]:
        """What was kept for a name, or for all, the newest change first."""
        return [_kept(row) for row in self._store.look("advice_of", {"name": name, "count": _MOST})]

    def one(self, id: str) -> Kept | None:
        """What was kept under an id."""
        return next((_kept(row) for row in self._store.look("advice_one", {"id": id})), None)

    def becomes(self, kept: Kept, state: str, at: int, after: str | None = None) -> None:
        """Note what became of it, and since when."""
        self._store.write(lambda tx: tx.execute("advice_becomes", {"id": kept.id, "state": state, "after": after,
                                                                   "changed_at": at}))


def _kept(row: Row) -> Kept:
    content = _CONTENT.decode(row[9])
    return Kept(id=row[0], fingerprint=row[1], database=row[2], name=row[3], candidate=content.candidate,
                verdict=content.verdict, state=row[6], after=row[8], made_at=row[10], changed_at=row[11],
                considered=content.considered)


def _considered(advice: Advice) -> Considered:
    """The others, without their plans: those of what is to be shipped are told."""
    others = [msgspec.structs.replace(each, before=None, after=None) for each in advice.verdicts
              if each is not advice.first]
    tried = [each.candidate for each in advice.verdicts]
    return Considered(
        text=advice.text[:_LONGEST_TEXT], verdicts=tuple(others[:_MOST_OTHERS]), trap=advice.trap,
        flipped=advice.flipped, notes=advice.notes[:_MOST_OTHERS], rejections=tuple(
            each for each in (advice.proposal.rejections if advice.proposal else ())
            if each.candidate is None or each.candidate not in tried)[:_MOST_OTHERS])


def follow(advice: AdviceKept, database: Examined, place: str, hours: Hours, now: int, name: str | None = None
           ) -> list[Followed]:
    """What became of everything that was advised for a database (`place` as traces tell it). Raises `CannotExplain`."""
    kept = [each for each in advice.of(name) if each.database == place]
    schema = database.schema(list(dict.fromkeys((each.candidate.schema, each.candidate.table) for each in kept)))
    return [_followed(advice, each, schema, hours, now) for each in kept]


def _followed(advice: AdviceKept, kept: Kept, schema: Schema, hours: Hours, now: int) -> Followed:
    index = shipped(kept.candidate, schema)
    if index is None:
        return Followed(kept=kept)
    if kept.state == "proposed":
        advice.becomes(kept, "shipped", now)
        return Followed(kept=kept, index=index.name)
    since = kept.changed_at
    watched = compare(_spans(hours(kept.fingerprint, kept.database, since - _BEFORE_MS, since)),
                      _spans(hours(kept.fingerprint, kept.database, since, now)))
    if watched.became not in ("too few", kept.state):
        advice.becomes(kept, watched.became, since, watched.says)
    return Followed(kept=kept, index=index.name, watched=watched)


def shipped(candidate: Candidate, schema: Schema) -> Index | None:
    """The valid index that is what was proposed, by whatever name."""
    table = schema.table(candidate.table, candidate.schema)
    return next((each for each in (table.indexes if table else ()) if each.valid and each.keys == candidate.keys
                 and each.include == candidate.include
                 and _plain(each.predicate) == _plain(candidate.predicate)), None)


def _spans(seen: Sequence[StatementSeen]) -> list[Span]:
    return [Span(each.calls, each.total_us) for each in seen]


def _plain(predicate: str | None) -> str | None:
    """A predicate as it was written and as the database gives it back."""
    if predicate is None:
        return None
    plain = "".join(each for each in predicate.lower() if each not in "() \"")
    return plain.replace("::text", "").replace("::charactervarying", "")


def _id(advice: Advice, candidate: Candidate) -> str:
    what = msgspec.json.encode((advice.fingerprint, advice.database, candidate.schema, candidate.table, candidate.keys,
                                candidate.include, candidate.predicate))
    return blake2b(what, digest_size=8).hexdigest()
