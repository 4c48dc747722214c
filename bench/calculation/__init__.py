"""Case study Q: the table of records, and the nightly calculation over those of one client."""
