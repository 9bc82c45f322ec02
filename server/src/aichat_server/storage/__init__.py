"""Postgres: the engine, the tenant-scoped session, one repository a feature."""
