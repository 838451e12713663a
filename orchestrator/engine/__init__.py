"""One coordinator and workers that pull: how every kind of study runs."""
