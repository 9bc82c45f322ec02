DROP TABLE aichat.quota_warnings, aichat.notification_settings;
