-- Lines may be replaced until their invoice is final.
CREATE OR REPLACE FUNCTION aichat.refuse_line() RETURNS trigger
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
