GRANT SELECT, INSERT, UPDATE ON aichat.invoices TO aichat_app;
GRANT SELECT, INSERT, DELETE ON aichat.invoice_lines TO aichat_app;
GRANT SELECT, INSERT ON aichat.adjustments, aichat.refunds TO aichat_app;
GRANT SELECT, INSERT, DELETE ON aichat.blocked_invoices TO aichat_app;

SELECT aichat.protect('invoices', 'invoice_lines', 'adjustments', 'refunds', 'blocked_invoices');
SELECT aichat.list_work('blocked_invoices');

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON aichat.adjustments
    FOR EACH STATEMENT EXECUTE FUNCTION aichat.refuse_change();

-- Lines may be made anew until they are asked for.
CREATE FUNCTION aichat.refuse_line() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM aichat.invoices AS i
        WHERE i.org_id = OLD.org_id AND i.period_start = OLD.period_start
          AND i.state IN ('finalized', 'paid', 'void', 'uncollectible')
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = 'what was asked for stays as it is';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER asked_for BEFORE DELETE ON aichat.invoice_lines FOR EACH ROW EXECUTE FUNCTION aichat.refuse_line();

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA aichat FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aichat TO aichat_app;
