"""Architectures that are ranked before any of them is trained."""
