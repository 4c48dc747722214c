"""Bookings of rooms; an index on room and time, which half of the statements need."""

from bench.advise.case import Case, Domain

TABLES = """
create table rooms (id integer primary key, building integer not null, name text not null);
create table bookings (id bigint primary key, room_id integer not null references rooms, organiser_id integer not null,
    starts_at timestamptz not null, ends_at timestamptz not null, reminded_at timestamptz, title text not null);
insert into rooms select i, i / 30, 'Room ' || i from generate_series(1, 300) i;
insert into bookings select i, 1 + abs(hashint8(i)) % 300, 1 + abs(hashint8(i + 3)) % 4000, begins,
    begins + interval '1 hour', case when hashint8(i + 5) % 200 <> 0 then begins - interval '1 day' end, repeat('t', 60)
    from (select i, now() + interval '1 hour' * (abs(hashint8(i + 1)) % 17520 - 8760) as begins
          from generate_series(1, {rows}) i) made;
create index bookings_room on bookings (room_id, starts_at);
"""

CASES = (
    Case("next bookings of a room",
         "select id, starts_at, title from bookings where room_id = %s and starts_at >= now() order by starts_at"
         " limit 20",
         (7,), (), "There is an index on just that."),
    Case("who has not been reminded",
         "select id, organiser_id from bookings where reminded_at is null and starts_at < %s", ("2020-01-01",),
         ("bookings (starts_at) where reminded_at is null", "bookings (reminded_at, starts_at)",
          "bookings (starts_at)"),
         "One booking of two hundred has not been reminded of; before that time none begins at all."),
    Case("bookings of some organisers",
         "select id, starts_at, title from bookings where organiser_id in (%s, %s, %s) and starts_at >= now()",
         (3, 1999, 2718), ("bookings (organiser_id, starts_at)", "bookings (organiser_id)"),
         "A list of organisers finds some hundred rows; the time halves them, which is worth a key or not."),
    Case("bookings on Saturdays", "select id, title from bookings where extract(dow from starts_at) = 6", (), (),
         "The day of the week depends on the session's time zone, so it cannot be indexed; and it is one of seven."),
    Case("use of a building",
         "select r.name, count(*) from rooms r join bookings b on b.room_id = r.id where r.building = %s"
         " and b.starts_at >= now() and b.starts_at < now() + interval '1 day' group by r.name", (2,), (),
         "Thirty rooms of three hundred, found in a table of a few pages; the bookings by the index that there is."),
)

CALENDAR = Domain("calendar", TABLES, CASES)
