"""Applying a plan: calls in batches, outcomes saved as they come, creates in doubt looked up."""
