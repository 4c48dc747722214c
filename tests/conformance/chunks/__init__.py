"""Chunks on each store: many jobs in one call, each with an outcome of its own."""
