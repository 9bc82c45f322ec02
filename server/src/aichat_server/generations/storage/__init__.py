"""Generations: what Postgres stores."""
