"""Tunes training runs and compares tuning methods: ``python -m orchestrator +study=…``."""
