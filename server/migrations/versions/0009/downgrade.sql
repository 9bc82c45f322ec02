DROP TABLE aichat.stripe_events, aichat.subscriptions, aichat.billing_accounts;
