DROP FUNCTION aichat.count_failure, aichat.book, aichat.open_hour, aichat.charge_quotas, aichat.check_quotas,
    aichat.lock_quotas, aichat.quota_lock, aichat.charged, aichat.quotas_of;
DROP TABLE aichat.holds, aichat.quota_usage, aichat.quotas, aichat.open_hours, aichat.failures, aichat.usage_events,
    aichat.prices;
DROP FUNCTION aichat.refuse_change;
