"""What a dispatcher does, on each store."""
