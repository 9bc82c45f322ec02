DROP FUNCTION aichat.mismatches, aichat.reopen, aichat.roll_up, aichat.sum_up, aichat.summed_up, aichat.usage_between;
DROP TABLE aichat.usage_hourly;
