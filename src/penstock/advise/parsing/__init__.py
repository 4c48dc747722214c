"""A statement as it was written: its words, its blocks, what each column is for, and whether it may be asked about."""
