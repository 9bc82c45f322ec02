"""Usage: the use cases."""
