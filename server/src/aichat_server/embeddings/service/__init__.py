"""Makes embeddings."""
