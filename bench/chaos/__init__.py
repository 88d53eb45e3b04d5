"""Runs under way while processes are killed, connections cut, providers fail and disks fill: `python -m bench.chaos`."""
