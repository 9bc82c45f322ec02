"""Quotas: what Postgres stores."""
