"""SQLite files: read without being changed, and trials on copies of them."""
