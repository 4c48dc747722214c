"""The arguments of jobs: checked, packed into an envelope, sealed, and shown without what is secret."""
