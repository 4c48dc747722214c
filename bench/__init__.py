"""Benchmarks: `python -m bench NAME [--quick]`. Every bar is to be reached in the full run and in the quick one."""
