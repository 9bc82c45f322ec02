"""The files that messages show to models: images, documents and audio."""
