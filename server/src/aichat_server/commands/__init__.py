"""The server's commands, one a file; the command line itself is `__main__`'s."""
