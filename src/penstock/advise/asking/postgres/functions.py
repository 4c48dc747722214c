"""What running a statement could set off, told by PostgreSQL's catalogue: volatile functions, SECURITY DEFINER, code.

A name may mean several functions, and only running the statement would say which: one dangerous namesake condemns it.
What a statement does not name itself is looked for as well: views and their rules, policies of row security, checks of
domains, operators and casts of the database's own.
"""

import re
from collections.abc import Iterable, Sequence

from penstock.advise.asking.postgres.connection import Connection
from penstock.domain.advice import Query, Safety, Schema

# Harmless though they give another answer each time.
_HARMLESS = frozenset({"random", "random_normal", "gen_random_uuid", "uuidv4", "uuidv7", "clock_timestamp", "timeofday",
                       "uuid_generate_v4"})
# Not volatile, but they run SQL from a text, or read files.
_EVIL = frozenset({"query_to_xml", "query_to_xml_and_xmlschema", "query_to_xmlschema", "cursor_to_xml",
                   "cursor_to_xmlschema", "table_to_xml", "table_to_xml_and_xmlschema", "table_to_xmlschema",
                   "schema_to_xml", "schema_to_xml_and_xmlschema", "schema_to_xmlschema", "database_to_xml",
                   "database_to_xml_and_xmlschema", "database_to_xmlschema", "ts_stat", "pg_read_file",
                   "pg_read_binary_file", "pg_ls_dir", "pg_stat_file"})
_PART = r'(?:"((?:[^"]|"")+)"|([A-Za-z_][\w$]*))'
_NAME = re.compile(rf"(?:{_PART}\s*\.\s*)?{_PART}\s*\(")
_DEEPEST = 5
_BODIES = 140000
"""Since that version, a function in SQL may be kept parsed."""
_BUILT_IN = frozenset({"integer", "bigint", "smallint", "text", "character varying", "numeric", "boolean", "unknown",
                       "double precision", "real", "date", "timestamp with time zone", "timestamp without time zone"})
_OPERATOR = re.compile(r"[-+*/<>=~!@#%^&|`?]+")

# What a name means without a schema is what is visible. An aggregate is as harmless as what it is made of.
_FUNCTIONS = """
select p.proname, n.nspname, f.provolatile::text, f.prosecdef, l.lanname,
       n.nspname = 'pg_catalog' or exists (
           select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'),
       concat_ws(' ', f.prosrc, pg_get_function_sqlbody(f.oid))
from unnest(%(schemas)s::text[], %(names)s::text[]) as wanted(schema, name)
join pg_proc p on p.proname = wanted.name
join pg_namespace n on n.oid = p.pronamespace
left join pg_aggregate a on a.aggfnoid = p.oid
join pg_proc f on f.oid in (p.oid, a.aggtransfn, a.aggfinalfn, a.aggmtransfn, a.aggmfinalfn, a.aggminvtransfn,
                            a.aggcombinefn, a.aggserialfn, a.aggdeserialfn)
join pg_language l on l.oid = f.prolang
where case when wanted.schema is null then pg_function_is_visible(p.oid) else n.nspname = wanted.schema end
"""
_OPERATORS = """
select o.oprname, f.nspname, f.proname from pg_operator o join pg_proc p on p.oid = o.oprcode
join pg_namespace n on n.oid = o.oprnamespace
cross join lateral (select s.nspname, f.proname from pg_proc f join pg_namespace s on s.oid = f.pronamespace
                    where f.oid in (o.oprcode, o.oprrest, o.oprjoin)) as f
where n.nspname <> 'pg_catalog' and o.oprname = any(%s)
"""
_CASTS = """
select format_type(c.castsource, null), format_type(c.casttarget, null), n.nspname, p.proname
from pg_cast c join pg_proc p on p.oid = c.castfunc join pg_namespace n on n.oid = p.pronamespace
where n.nspname <> 'pg_catalog'
"""
# Texts of what is evaluated besides the statement itself. A domain counts wherever it is: a cast may name it.
_ATTACHED = """
select 'the policy ' || polname || ' of ' || polrelid::regclass,
       concat_ws(' ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
from pg_policy where polrelid = any(%(tables)s::text[]::regclass[]::oid[])
union all
select 'the rule ' || rulename || ' of ' || ev_class::regclass, pg_get_ruledef(oid)
from pg_rewrite where ev_class = any(%(tables)s::text[]::regclass[]::oid[])
union all
select 'the column ' || attname || ' of ' || adrelid::regclass, pg_get_expr(adbin, adrelid)
from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum
where adrelid = any(%(tables)s::text[]::regclass[]::oid[]) and attgenerated <> ''
union all
select 'the domain ' || contypid::regtype, pg_get_constraintdef(oid) from pg_constraint where contypid <> 0
and connamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
"""


Name = tuple[str | None, str]
"""A function's schema, None where it is not said, and its name."""


def doubts(connection: Connection, query: Query, safety: Safety, schema: Schema) -> tuple[str, ...]:
    """Why the statement is not to be run nor planned, one sentence for each reason; empty where nothing speaks against.
    """
    # A name behind a dot that is no column is a function of the row.
    attributes = {*safety.attributes} - {column.name for table in schema.tables for column in table.columns}
    names = {_name(each) for each in safety.functions} | called(query.text) | {(None, name) for name in attributes}
    found = _condemned(connection, names, "it calls")
    for symbol, *function in connection.execute(_OPERATORS, [_OPERATOR.findall(query.text)]).fetchall():
        found += _condemned(connection, {_pair(function)}, f"the operator {symbol} of this database calls")
    for source, target, *function in connection.execute(_CASTS).fetchall():
        if _is_named(source, query, schema) and _is_named(target, query, schema):
            found += _condemned(connection, {_pair(function)},
                                f"the cast from {source} to {target} of this database calls")
    tables = [_quoted(table.schema, table.name) for table in schema.tables]
    for what, text in connection.execute(_ATTACHED, {"tables": tables}).fetchall():
        if not what.startswith("the domain") or _is_named(what.removeprefix("the domain "), query, schema):
            found += _condemned(connection, called(text or ""), f"{what} calls")
    return tuple(dict.fromkeys(found))


def called(text: str) -> set[Name]:
    """The names that stand before a bracket anywhere in a text, as the database would read them.

    More than what is called: it is asked about each, and one that is no function does not count.
    """
    return {(_folded(*parts[:2]) or None, _folded(*parts[2:])) for parts in _NAME.findall(text)}


def _folded(quoted: str, plain: str) -> str:
    return quoted.replace('""', '"') if quoted else plain.lower()


def _name(dotted: str) -> Name:
    schema, _, name = dotted.rpartition(".")
    return schema.rpartition(".")[2] or None, name


def _pair(function: Sequence[str]) -> Name:
    return function[0], function[1]


def _condemned(connection: Connection, names: Iterable[Name], saying: str, depth: int = 0) -> list[str]:
    wanted = sorted({name for name in names if name[1] not in _HARMLESS}, key=str)
    if not wanted:
        return []
    found: dict[str, None] = {}
    bodies = _FUNCTIONS if connection.info.server_version >= _BODIES else _FUNCTIONS.replace(
        "pg_get_function_sqlbody(f.oid)", "null")
    for row in connection.execute(bodies.encode(), {"schemas": [schema for schema, _ in wanted],
                                               "names": [name for _, name in wanted]}).fetchall():
        name, _, _, _, language, shipped, body = row
        if fault := _fault(row):
            found[f"{saying} {name}(), {fault}"] = None
        elif language == "sql" and not shipped:
            inside = called(body) - {(None, name)}
            within = _condemned(connection, inside, f"{name}() calls", depth + 1) if depth < _DEEPEST else [
                f"{name}() calls what is nested too deeply to be looked through"]
            found.update(dict.fromkeys(f"{saying} {name}(), and {each}" for each in within))
    return list(found)


def _fault(row: Sequence[object]) -> str | None:
    name, schema, volatile, definer, language, shipped, _ = row
    if definer:
        return "which is SECURITY DEFINER: it acts with the rights of its owner"
    if volatile == "v":
        return "which is volatile: it may write, or set something off"
    if name in _EVIL:
        return "which runs or reads whatever it is told"
    if not shipped and language not in ("sql", "internal"):
        return f"which is written in {language}: what it does cannot be told ({schema})"
    return None


def _is_named(kind: str, query: Query, schema: Schema) -> bool:
    """Whether a type stands in the statement, or is that of a column of its tables. What is built in is everywhere."""
    plain = kind.rpartition(".")[2].strip('"')
    return (kind in _BUILT_IN or re.search(rf"\b{re.escape(plain)}\b", query.text, re.IGNORECASE) is not None
            or any(plain == column.type.rpartition(".")[2].strip('"')
                   for table in schema.tables for column in table.columns))


def _quoted(schema: str | None, name: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name) if part)
