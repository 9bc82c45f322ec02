"""What every call passes through before and after its handler, whatever its shape."""
