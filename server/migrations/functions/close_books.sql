-- Closes an organisation's books up to a moment, exclusive, for good: waits for turns that are being booked, and none
-- can be booked there afterwards. Returns false, and does nothing, if that moment is in the future.
CREATE OR REPLACE FUNCTION aichat.close_books(p_org_id uuid, p_until timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF clock_timestamp() < p_until THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(aichat.books_lock(p_org_id));
    INSERT INTO aichat.closed_books AS c (org_id, closed_until) VALUES (p_org_id, p_until)
    ON CONFLICT (org_id) DO UPDATE SET closed_until = greatest(c.closed_until, excluded.closed_until);
    RETURN true;
END
$$;
