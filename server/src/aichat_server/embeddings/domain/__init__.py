"""What embeddings are asked for, and what they are."""
