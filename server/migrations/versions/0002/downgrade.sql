DROP TRIGGER plan_periods ON aichat.organizations;
DROP FUNCTION aichat.extend_books, aichat.add_month, aichat.count_failure, aichat.book, aichat.open_hour, aichat.close_books, aichat.booking_time,
    aichat.books_lock, aichat.charge_quotas, aichat.check_quotas, aichat.lock_quotas, aichat.quota_left,
    aichat.quota_lock, aichat.charged, aichat.held, aichat.quotas_of, aichat.quotas_in_force, aichat.plan_terms,
    aichat.set_plan, aichat.begin_plan_periods;
DROP TABLE aichat.leases, aichat.holds, aichat.quota_usage, aichat.quotas, aichat.closed_books, aichat.open_hours,
    aichat.failures, aichat.usage_events, aichat.prices, aichat.plan_periods, aichat.plans;
DROP FUNCTION aichat.refuse_change;
