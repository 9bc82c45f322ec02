"""Redis: the one way to call it, and the scripts that it keeps."""
