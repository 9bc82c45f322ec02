"""Files: the use cases."""
