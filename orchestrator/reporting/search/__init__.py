"""Plots of search studies: what they show (``overview``), as pictures and as one interactive page."""
