-- Which queues a worker serves: so that `penstock why` can say that nobody serves one.

alter table penstock.workers add column queues text;
