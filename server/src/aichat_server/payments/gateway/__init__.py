"""Payments: the way to other technologies."""
