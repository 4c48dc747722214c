"""What becomes of a proposal: a migration as text, and what it changed once somebody ran it."""
