"""The simulator: clusters of the real replica on virtual clocks, networks and disks, with faults drawn from a seed.

`python -m tests.simulator --seeds 1000` looks for faults; `--seed N --trace` tells the story of one run, the same each
time. What is checked is in `checker.py`, which shares no code with the consensus core.
"""
