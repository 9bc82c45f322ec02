"""Providers: the use cases."""
