"""Identity: the use cases."""
