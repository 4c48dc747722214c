"""Windows: time-boxed executions, each of which serves runs of one account one after the other."""
