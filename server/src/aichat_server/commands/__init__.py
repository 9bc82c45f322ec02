"""The server's commands, one per file; `__main__` has the command line itself."""
