"""A stand-in for Stripe: it stores objects, idempotency keys and events, and sends signed webhooks.

Objects have the form of Stripe's published samples (`samples/`). What the real Stripe does hours later, such as
charging a finalised invoice, happens at once; what it does at a date happens when `/_control/clock` advances the clock.
"""
