"""OpenAI's API: what its requests ask, and how it tells answers. No technology."""
