-- The journal: who changed what, and what came of it. `said` is null for a change that has not ended, or whose end was lost.

create table penstock.journal (
    id      bigint generated always as identity primary key,
    at      bigint not null,
    actor   text not null,
    action  text not null,
    about   text not null,
    before  text,
    after   text,
    said    text
);
create index journal_at on penstock.journal (at);
create index journal_about on penstock.journal (about, id);
create index journal_actor on penstock.journal (actor, id);
