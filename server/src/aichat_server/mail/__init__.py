"""E-mail: its words, and the way to an SMTP server."""
