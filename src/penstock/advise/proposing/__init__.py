"""What might make a statement faster: indexes, weighed by statistics, and other words for it."""
