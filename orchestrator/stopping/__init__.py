"""Rules that stop trials early."""
