"""Planning: a source read page by page and held against state; what differs lies on a spool."""
