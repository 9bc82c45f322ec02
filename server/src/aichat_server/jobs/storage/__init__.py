"""Jobs: what Postgres stores."""
