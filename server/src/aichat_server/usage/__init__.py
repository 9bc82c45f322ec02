"""Usage: the ledger, its hourly sums, and reports of both."""
