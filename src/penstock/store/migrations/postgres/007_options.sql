-- What a request asks of its run beyond the ordinary (see domain/options.py); nothing for an ordinary one.

alter table penstock.sync_requests add column options text not null default '';
alter table penstock.sync_runs add column options text not null default '';
