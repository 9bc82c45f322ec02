"""Invoices: the use cases."""
