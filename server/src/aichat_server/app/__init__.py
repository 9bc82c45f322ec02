"""The composition root: the only package that sees every feature.

It creates the parts and passes each what it needs.
"""
