"""Binary classification of table rows by a small network."""
