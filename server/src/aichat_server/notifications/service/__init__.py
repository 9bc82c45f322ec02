"""Notifications: the use cases."""
