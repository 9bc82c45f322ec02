"""Conversations: what Postgres stores."""
