"""The kinds of parts that messages are made of, such as text, and how they are stored."""
