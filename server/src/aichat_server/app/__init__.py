"""The composition root: the only package that sees every feature. It makes the parts and hands each what it needs."""
