-- Gives a new organisation its first plan period.
CREATE OR REPLACE FUNCTION aichat.begin_plan_periods() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO aichat.plan_periods (org_id, starts_at, plan) VALUES (NEW.org_id, '-infinity', NEW.plan);
    RETURN NULL;
END
$$;
