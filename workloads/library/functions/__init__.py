"""Test functions whose optima are known."""
