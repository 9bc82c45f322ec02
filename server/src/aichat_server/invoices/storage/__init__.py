"""Invoices: what Postgres stores."""
