"""Benchmarks: `python -m bench NAME [--quick] [--store …]`. Every bar is reached in the full run and in the quick one."""
