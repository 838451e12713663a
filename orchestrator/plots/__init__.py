"""What the pictures and pages of all kinds of studies share."""
