"""The best trials of a search: which they are, their weights, and their evaluation in the end."""
