"""The worker's side of a population: members in training, alone, packed or in gangs."""
