"""Which migrations are written of what was advised: one for each index that is to be shipped."""

from collections.abc import Mapping, Sequence

import msgspec

from penstock.advise.asking.opening import open_examined
from penstock.advise.shipping.following import Kept
from penstock.advise.shipping.migration import Style, migration
from penstock.domain.advice import Candidate, Dialect
from penstock.domain.errors import AdviceUnavailable
from penstock.domain.tables import Table


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of migrations, and in words what whoever runs them should know, or why there are none."""

    texts: list[str]
    notes: list[str]


def write_migrations(kept: Sequence[Kept], style: Style, *, urls: Mapping[str, str], queues: Sequence[str] = (),
                     previous: str | None = None) -> Written:
    """A migration for each index that was advised and is not there yet: of one statement what was confirmed, else the
    newest. `urls` are those of the databases, which tell about partitions."""
    texts: list[str] = []
    notes: list[str] = []
    written: set[Candidate] = set()
    for of in dict.fromkeys((each.database, each.fingerprint) for each in kept):
        mine = [each for each in kept if (each.database, each.fingerprint) == of]
        found = min(mine, key=lambda each: each.verdict.confidence != "confirmed")
        candidate = found.candidate
        if found.state != "proposed":
            notes.append(f"{candidate.name} is there already: {found.state}")
        elif candidate not in written:
            written.add(candidate)
            if found.verdict.confidence != "confirmed":
                notes.append(f"{candidate.name}: this is likely, and was not measured: `penstock advise {found.name}"
                             " --on URL` measures it on a copy")
            table = _table(candidate, urls.get(found.database), notes)
            dialect: Dialect = "sqlite" if found.database.startswith("sqlite:") else "postgres"
            texts.append(migration(candidate, style, dialect=dialect, table=table, queues=queues, previous=previous))
    return Written(texts=texts, notes=notes)


def _table(candidate: Candidate, url: str | None, notes: list[str]) -> Table | None:
    if url is None:
        return None
    try:
        with open_examined(url) as database:
            return database.schema(((candidate.schema, candidate.table),)).table(candidate.table, candidate.schema)
    except AdviceUnavailable as error:
        notes.append(f"{candidate.name}: whether {candidate.table} is partitioned could not be asked: {error}")
        return None
