"""What happened in a population study, read from its journal."""
