"""Postgres: connections, transactions of one organisation, the schema and its migrations."""
