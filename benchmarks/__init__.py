"""The figures of the README, each measured by one module: `python -m benchmarks [name ...]`.

A benchmark is a module with a function `measure() -> list[Figure]`; its name stands in `BENCHMARKS` of `__main__`.
"""
