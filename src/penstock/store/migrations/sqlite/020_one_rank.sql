-- The index of the runs that are pending and not delayed is in the same order.

drop index penstock_sync_runs_rank;
