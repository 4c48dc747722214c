"""Admission: work waits where it can still be reprioritised, until there is room and a turn for it."""
