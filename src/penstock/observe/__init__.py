"""Where time goes: traces of work, what drivers and clients report to them, and what is kept of them."""
