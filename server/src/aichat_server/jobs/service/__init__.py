"""Jobs: the use cases."""
