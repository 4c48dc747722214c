"""What `bench limits` starts: the server that notes arrivals, and the processes that call it."""
