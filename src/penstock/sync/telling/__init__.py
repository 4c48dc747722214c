"""Telling people: why a record was sent or not, and what the destination holds of it."""
