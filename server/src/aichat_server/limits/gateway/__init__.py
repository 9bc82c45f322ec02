"""Limits: the way to other technologies."""
