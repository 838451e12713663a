"""A study's configuration: its shape, the checks of its values, and objects from its targets."""
