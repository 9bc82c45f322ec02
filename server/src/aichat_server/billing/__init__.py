"""Subscriptions, cards and the webhooks of the payment provider."""
