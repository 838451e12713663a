"""What is tried with a user's workload before anything starts."""
