"""From what was examined and tried to a verdict on each proposal."""
