"""Quotas (budgets): limits of what an organisation, a member or an API key may spend in a month or a day."""
