"""Adapters: each one is its library's own algorithm behind ``ask`` and ``tell``."""
