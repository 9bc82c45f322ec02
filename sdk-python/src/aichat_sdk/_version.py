"""The platform's version: every package, image and test reads it from here."""

__version__ = "0.1.0"
