"""Teaching a small GPT by preferences: losses, lists that a program ranks, and the workload."""
