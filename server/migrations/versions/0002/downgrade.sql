DROP FUNCTION aichat.book, aichat.charge_quotas, aichat.check_quotas, aichat.lock_quotas, aichat.quota_left,
    aichat.quota_lock, aichat.charged, aichat.held, aichat.quotas_of;
DROP TABLE aichat.leases, aichat.holds, aichat.quota_usage, aichat.quotas, aichat.usage_events, aichat.prices;
DROP FUNCTION aichat.refuse_change;
