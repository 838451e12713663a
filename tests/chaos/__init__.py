"""Kills random processes of a study at random moments; nothing may be lost, doubled or different."""
