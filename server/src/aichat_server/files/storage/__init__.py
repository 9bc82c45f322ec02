"""Files: what is stored in the database."""
