"""Identity: what Postgres stores."""
