"""What happened in a search study, read from its journal, and what it says."""
