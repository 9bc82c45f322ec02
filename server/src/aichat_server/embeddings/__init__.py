"""Embeddings: texts as vectors, held, metered and booked like answers."""
