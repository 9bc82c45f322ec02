"""Files: the object storage."""
