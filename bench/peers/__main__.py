"""`python -m bench.peers` builds the venv of every peer that has none yet, or whose pins have changed."""

from bench.peers.build import NAMES, built, version

for name in NAMES:
    built(name)
    print(f"{name} {version(name)}")
