"""The queues that ours is held against, each in a venv of its own under `bench/.peers`, at pinned versions.

`python -m bench.peers` builds them all, and a benchmark builds what it misses before its clock starts. A driver here
runs inside its peer's venv, where Penstock is not installed: it imports the standard library, its peer, and those
modules of `bench` that need no more.
"""
