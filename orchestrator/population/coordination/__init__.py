"""The coordinator's side of a population: what islands are told, and what is agreed on."""
