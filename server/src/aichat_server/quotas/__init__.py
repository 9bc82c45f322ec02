"""Quotas: how much may be spent in a month or a day."""
