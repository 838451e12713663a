"""The command line: what to list, compose, refuse and start. The only package that knows Hydra."""
