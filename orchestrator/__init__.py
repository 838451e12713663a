"""Tunes training runs and compares tuning methods: ``python -m orchestrator +study=…``."""

from orchestrator.config.moved import serve_old_names

serve_old_names()
