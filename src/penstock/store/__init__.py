"""The database that Penstock lives in: one port, two adapters, and SQL in files."""
