"""Deletes data whose retention time is over."""
