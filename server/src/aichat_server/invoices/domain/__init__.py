"""Invoices: values and rules, without I/O."""
