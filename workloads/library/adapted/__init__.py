"""Trainings by other libraries: what the studies of these libraries train, and what ``init`` copies."""
