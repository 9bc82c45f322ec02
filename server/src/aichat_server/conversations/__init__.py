"""Conversations, their messages, and the turns that answers are written in."""
