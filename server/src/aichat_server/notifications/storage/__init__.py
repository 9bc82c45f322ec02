"""Notifications: what Postgres stores."""
