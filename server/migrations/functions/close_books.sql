-- Closes an organisation's books up to a moment, itself not included, for good: waits for the turns that are just being
-- booked, and none will be booked there any more. False, and nothing is done, if that moment is yet to come.
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
