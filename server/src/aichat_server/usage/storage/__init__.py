"""Usage: what Postgres stores."""
