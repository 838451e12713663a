"""A run directory: its journal, provenance, results, the output of its workers."""
