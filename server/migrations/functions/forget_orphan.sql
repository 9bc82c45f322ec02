-- Removes the expired lease of a generation that has ended, and so takes it off the work list. p: org_id,
-- generation_id.
CREATE OR REPLACE FUNCTION aichat.forget_orphan(p jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true);
    DELETE FROM aichat.leases AS l USING aichat.generations AS g
    WHERE l.org_id = (p ->> 'org_id')::uuid AND l.generation_id = (p ->> 'generation_id')::uuid
      AND g.org_id = l.org_id AND g.generation_id = l.generation_id AND g.state <> 'running';
END
$$;
