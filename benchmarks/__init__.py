"""The figures of the README, each measured by one script: `python -m benchmarks [name ...]`."""
