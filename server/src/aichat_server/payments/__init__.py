"""The payment provider: `domain/provider.py` says what one does, and `gateway` has one for each: today Stripe."""
