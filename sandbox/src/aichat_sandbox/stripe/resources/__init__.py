"""The API's resources, one kind of object per file."""
