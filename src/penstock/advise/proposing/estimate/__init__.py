"""What statements would cost with one index or another, reckoned from statistics alone, as a planner would.

It decides which candidates are worth a trial, and which is tried first; it does not decide what is shipped.
"""
