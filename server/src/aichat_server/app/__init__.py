"""The composition root: the only package that sees every layer. It makes the parts and hands each what it needs."""
