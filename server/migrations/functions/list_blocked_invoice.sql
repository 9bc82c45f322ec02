-- Keeps the list of blocked invoices current as their states change.
CREATE OR REPLACE FUNCTION aichat.list_blocked_invoice() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'blocked' THEN
        INSERT INTO aichat.blocked_invoices (org_id, period_start) VALUES (NEW.org_id, NEW.period_start);
    ELSE
        DELETE FROM aichat.blocked_invoices AS b WHERE b.org_id = NEW.org_id AND b.period_start = NEW.period_start;
    END IF;
    RETURN NULL;
END
$$;
