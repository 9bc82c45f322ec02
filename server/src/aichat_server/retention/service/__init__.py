"""Retention: the use cases."""
