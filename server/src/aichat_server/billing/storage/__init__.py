"""Billing: what Postgres stores."""
