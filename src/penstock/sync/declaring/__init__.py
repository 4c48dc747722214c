"""What people write, checked when the app is built: syncs, layers, guards, requests and their options."""
