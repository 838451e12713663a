"""Search algorithms behind ``ask`` and ``tell``: our own, and adapters of libraries."""
