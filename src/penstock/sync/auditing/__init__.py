"""Audits: a destination held against what it was sent, and repaired on request."""
