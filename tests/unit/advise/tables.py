"""Tables as a database would describe them, for what is proposed without one."""

from typing import Any

from penstock.domain.advice import Column, Index, Key, Schema, Table


def index(name: str, *columns: str, **rest: Any) -> Index:
    return Index(name=name, keys=tuple(Key(column=column) for column in columns), **rest)


RECORDS = Table(
    name="records", schema="public", rows=4_000_000, pages=60_000, primary_key=("id",), columns=(
        Column(name="id", type="bigint", distinct=4e6, width=8, correlation=0.0,
               bounds=tuple(str(number * 40_000) for number in range(101))),
        Column(name="client_id", type="integer", distinct=200, common=(("6", 0.045), ("7", 0.02)), width=4),
        Column(name="status", type="text", distinct=3, common=(("done", 0.5), ("pending", 0.49), ("odd", 0.01)),
               width=8),
        Column(name="created_at", type="timestamp with time zone", distinct=4e6, width=8,
               bounds=tuple(f"2026-{month:02}-01 00:00:00+00" for month in range(1, 13))),
        Column(name="amount", type="numeric", distinct=5000, width=6),
        Column(name="label", type="text", distinct=4e6, width=20),
        Column(name="payload", type="text", distinct=4e6, width=80)),
    indexes=(index("records_pkey", "id", unique=True, primary=True),
             index("records_client_id_status_idx", "client_id", "status")))
CLIENTS = Table(
    name="clients", schema="public", rows=200, pages=3, primary_key=("id",), columns=(
        Column(name="id", type="integer", distinct=200, width=4),
        Column(name="email", type="text", distinct=200, width=20)),
    indexes=(index("clients_pkey", "id", unique=True, primary=True),))
SCHEMA = Schema(dialect="postgres", tables=(RECORDS, CLIENTS))


def alone(*, table: Table = RECORDS, **changes: Any) -> Schema:
    """One table, changed."""
    from msgspec import structs

    return Schema(dialect="postgres", tables=(structs.replace(table, **changes),))
