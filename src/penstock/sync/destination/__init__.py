"""Calling a destination: its verbs, what it holds, and the first contact with it."""
