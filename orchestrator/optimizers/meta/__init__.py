"""Meta-learned search: a transformer neural process that was trained on families of tasks."""
