"""Conversations: the use cases."""
