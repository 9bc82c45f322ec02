"""Vectors outside of this process."""
