-- The journal: who changed what, and what came of it. `said` is null for a change that has not ended, or whose end was lost.

create table penstock_journal (
    id      integer primary key autoincrement,
    at      integer not null,
    actor   text not null,
    action  text not null,
    about   text not null,
    before  text,
    after   text,
    said    text
);
create index penstock_journal_at on penstock_journal (at);
create index penstock_journal_about on penstock_journal (about, id);
create index penstock_journal_actor on penstock_journal (actor, id);
