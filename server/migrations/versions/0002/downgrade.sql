DROP FUNCTION aichat.book, aichat.charge_quotas, aichat.check_quotas, aichat.lock_quotas, aichat.quota_lock,
    aichat.charged, aichat.quotas_of;
DROP TABLE aichat.holds, aichat.quota_usage, aichat.quotas, aichat.usage_events, aichat.prices;
DROP FUNCTION aichat.refuse_change;
