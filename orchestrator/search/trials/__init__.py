"""Trials of a search in training: from rung to rung, saved, limited, gone on with."""
