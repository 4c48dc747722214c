"""Trials of what is proposed. `contract` says what one is; the other modules are its kinds, and what they share."""
