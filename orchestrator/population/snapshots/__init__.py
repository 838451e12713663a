"""What of a population is saved, which weights are kept, and where a resume goes on from."""
