"""All kinds of study, from start to end: check, connect, train, record, report."""
