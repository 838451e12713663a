"""Benchmark studies: N methods on M tasks, with S seeds."""
