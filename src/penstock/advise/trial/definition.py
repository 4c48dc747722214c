"""The text of an index, as a trial makes it."""

from penstock.domain.advice import Candidate, Key


def create_index(candidate: Candidate, name: str | None, *, schema: str | None = None, table: str | None = None) -> str:
    """CREATE INDEX for a candidate, under another name (None: whatever the server gives) or in another schema."""
    place = [schema if schema is not None else candidate.schema, table or candidate.table]
    called = f" {quoted(name)}" if name else ""
    include = f" include ({', '.join(map(quoted, candidate.include))})" if candidate.include else ""
    where = f" where {candidate.predicate}" if candidate.predicate else ""
    keys = ", ".join(map(_key, candidate.keys))
    return f"create index{called} on {'.'.join(quoted(each) for each in place if each)} ({keys}){include}{where}"


def quoted(name: str) -> str:
    """A name, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _key(key: Key) -> str:
    term = quoted(key.column) if key.column is not None else f"({key.expression})"
    nulls = {True: " nulls first", False: " nulls last", None: ""}[key.nulls_first]
    return f"{term}{f' {key.opclass}' if key.opclass else ''}{' desc' if key.descending else ''}{nulls}"
