"""What happened: histories, summaries and comparisons of runs."""
