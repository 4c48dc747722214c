"""Limits: rates, quotas, permits and gates, shared by all workers through the store."""
