"""Runs that must survive killed processes, cut connections, failing providers, full disks: `python -m bench.chaos`."""
