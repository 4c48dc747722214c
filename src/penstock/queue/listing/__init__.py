"""What people look for among jobs: lists page by page, one job, how many, how fast, and acts on many."""
