"""Notifications: values and rules, without I/O."""
