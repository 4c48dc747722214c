"""Runs that do less: some layers or records, or what a plan on file names."""
