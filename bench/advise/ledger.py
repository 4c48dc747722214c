"""Entries of accounts of tenants; one tenant has nearly a third of them. An index on the tenant alone."""

from bench.advise.case import Case, Domain

TABLES = """
create table entries (id bigint primary key, tenant_id integer not null, account_id integer not null,
    booked_on date not null, settled_at timestamptz, amount numeric(12, 2) not null, reversed boolean not null,
    memo text not null);
insert into entries select i, tenant, tenant * 100 + abs(hashint8(i + 2)) % 100,
    current_date - abs(hashint8(i + 3)) % 2000,
    case when hashint8(i + 4) % 10 <> 0 then now() - interval '1 minute' * (abs(hashint8(i + 5)) % 1000000) end,
    (abs(hashint8(i + 6)) % 100000) / 100.0, hashint8(i + 7) % 500 = 0, repeat('m', 70)
    from (select i, case when hashint8(i) % 10 < 3 and hashint8(i) >= 0 then 1 else 2 + abs(hashint8(i + 1)) % 40 end
          as tenant from generate_series(1, {rows}) i) made;
create index entries_tenant on entries (tenant_id);
"""

CASES = (
    Case("a page of an account",
         "select id, booked_on, amount from entries where tenant_id = %s and account_id = %s"
         " order by booked_on desc, id desc limit 50", (1, 133),
         ("entries (account_id, tenant_id, booked_on, id)", "entries (tenant_id, account_id, booked_on, id)",
          "entries (account_id, booked_on, id)"),
         "Both are equal, in whichever order (an account belongs to one tenant, so it alone would do); then the order"
         " of the page with its tie-break."),
    Case("turnover of an account in a month",
         "select sum(amount) from entries where account_id = %s and booked_on between %s and %s",
         (1233, "2026-03-01", "2026-03-31"), ("entries (account_id, booked_on)",),
         "Equal account, then a range of days. The amount may ride along."),
    Case("turnover of the largest tenant by day",
         "select booked_on, sum(amount) from entries where tenant_id = %s group by booked_on", (1,), (),
         "Nearly a third of all rows, spread over all pages: the table is read as a whole."),
    Case("reversals since", "select id, account_id, amount from entries where reversed and booked_on >= %s",
         ("2026-01-01",), ("entries (booked_on) where reversed", "entries (reversed, booked_on)"),
         "One entry of five hundred is reversed: a partial index is tiny."),
    Case("last settled of a tenant",
         "select id, amount, settled_at from entries where tenant_id = %s order by settled_at desc nulls last limit 20",
         (1,), ("entries (tenant_id, settled_at desc nulls last)",),
         "Equal tenant, then the order just as it is said: read backwards, an ordinary index would begin with the"
         " NULLs, so the planner would not take it."),
)

LEDGER = Domain("ledger", TABLES, CASES)
