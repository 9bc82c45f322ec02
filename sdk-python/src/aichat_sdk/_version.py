"""The version of the platform: every package, image and test takes it from here."""

__version__ = "0.1.0"
