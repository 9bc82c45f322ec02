-- Closing an organisation's books takes this lock exclusively; turns that are booked share it until they commit.
CREATE OR REPLACE FUNCTION aichat.books_lock(p_org_id uuid) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtextextended('aichat.books ' || p_org_id::text, 0)
$$;
