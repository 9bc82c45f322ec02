-- Returns the time of a turn that ends now: by the database's clock, the only one that counts, and never in a closed
-- month, even if that clock was set back. The lock comes first, before every lock of quotas: a month can only be closed
-- when everything booked under the lock has committed.
CREATE OR REPLACE FUNCTION aichat.booking_time(p_org_id uuid) RETURNS timestamptz
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(aichat.books_lock(p_org_id));
    RETURN greatest(
        clock_timestamp(), (SELECT c.closed_until FROM aichat.closed_books AS c WHERE c.org_id = p_org_id)
    );
END
$$;
