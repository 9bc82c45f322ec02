"""Providers: the way to other technologies."""
