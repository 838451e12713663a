"""What the results of a benchmark study say: statistics, tables, plots and the report."""
