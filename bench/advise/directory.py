"""People, whom they report to, and in which groups they are."""

from bench.advise.case import Case, Domain

TABLES = """
create table people (id bigint primary key, employee_number text not null unique, email text not null,
    name text not null, department_id integer not null, manager_id bigint, left_on date, notes text not null);
create table memberships (group_id integer, person_id bigint, since date not null, primary key (group_id, person_id));
insert into people select i, 'E' || i, 'Person' || i || '@Example.com',
    chr(65 + abs(hashint8(i)) % 26) || chr(97 + abs(hashint8(i + 1)) % 26) || chr(97 + abs(hashint8(i + 2)) % 26)
    || substr(md5(i::text), 1, 12), 1 + abs(hashint8(i)) % 200,
    case when i > 100 then 1 + abs(hashint8(i + 4)) % ({rows} / 100) end,
    case when hashint8(i + 5) % 10 = 0 then current_date - 100 end, repeat('x', 80) from generate_series(1, {rows}) i;
insert into memberships select 1 + abs(hashint8(i)) % 400, i, current_date from generate_series(1, {rows}) i
    where i % 50 <> 0;
"""

CASES = (
    Case("who has this address", "select id, name from people where lower(email) = lower(%s)",
         ("person4711@example.com",), ("people ((lower(email)))",),
         "The comparison is of an expression, so the index is of that expression."),
    Case("names that begin so", "select id, name from people where name like 'Mar%%' order by name limit 20", (),
         ("people (name text_pattern_ops)", "people (name)"),
         "A known beginning is a range, where the index compares by bytes: by an operator class, or by its collation."),
    Case("addresses at a domain", "select id from people where email like '%%@nowhere.example'", (), (),
         "The pattern begins with a wildcard, which no ordered index serves."),
    Case("who reports to them", "select id, name from people where manager_id = %s and left_on is null", (250,),
         ("people (manager_id)", "people (manager_id, left_on)", "people (manager_id) where left_on is null"),
         "A hundred people of all; nine of ten have not left, so that hardly narrows it down."),
    Case("people in no group",
         "select p.id from people p where not exists (select from memberships m where m.person_id = p.id)", (), (),
         "All people are held against all memberships: that is a hash, and no index makes it one look-up less."),
)

DIRECTORY = Domain("directory", TABLES, CASES)
