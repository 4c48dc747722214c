"""Serving one run: its subject, its client and its layers, from the first page to the last delete."""
