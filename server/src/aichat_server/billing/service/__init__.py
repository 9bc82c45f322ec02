"""Billing: the use cases."""
