"""Jobs on the store: declared, enqueued, claimed and settled."""
