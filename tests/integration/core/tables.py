"""For every table: which column names a row's owner, and which its time."""

from __future__ import annotations

# The owner of a row, if it is not its org_id; None for tables that no tenant may read or write.
OWNED_BY = {
    "users": "user_id",
    "alembic_version": None,
    "plans": None,
    "prices": None,
    "stripe_events": None,
    "job_runs": None,
    "schema_versions": None,
    "platform_limits": None,
    "free_usage": None,
}
# The time of a row, if it is not created_at.
TIMES = {
    "generations": "started_at",
    "requests": "claimed_at",
    "turns": "updated_before",
    "usage_events": "occurred_at",
    "failures": "occurred_at",
    "open_hours": "hour",
    "usage_hourly": "hour",
    "quotas": "updated_at",
    "quota_usage": "period_start",
    "holds": "expires_at",
    "leases": "expires_at",
    "quota_warnings": "noted_at",
    "notification_settings": "updated_at",
    "closed_books": "closed_until",
    "invoices": "updated_at",
    "invoice_lines": "first_at",
    "plan_periods": "starts_at",
    "subscriptions": "updated_at",
    "outbox": "noted_at",
    "blocked_invoices": "blocked_at",
    "unpaid_invoices": "unpaid_since",
    "unpaid_notices": "noted_at",
}
