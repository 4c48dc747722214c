"""Databases that are asked about plans and tables, and the values to ask with. Nothing here changes one."""
