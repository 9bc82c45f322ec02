"""LLM vendors, each behind the same generator of typed events."""
