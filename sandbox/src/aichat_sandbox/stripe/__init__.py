"""A stand-in for Stripe that keeps what it is told: objects, idempotency keys and events, and sends signed webhooks.

Objects have the shape of Stripe's published samples (`samples/`). What a real Stripe does hours later, such as charging
a finalised invoice, happens at once; what it does at a date happens when `/_control/clock` is put forward.
"""
