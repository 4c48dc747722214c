"""Deleting: who claims a row, what is withheld, what people approved."""
