-- What staff is asked to have forgotten waits until it is decided; what an organization asks for itself is
-- approved with that. Only what is approved is carried out.
ALTER TABLE edge.erasure_requests
    ADD COLUMN decision   text NOT NULL DEFAULT 'approved' CHECK (decision IN ('waiting', 'approved', 'refused')),
    ADD COLUMN decided_by text,
    ADD COLUMN decided_at timestamptz,
    ADD COLUMN reason     text CHECK (reason ~ '^[a-z0-9-]{1,40}$'),
    ADD CONSTRAINT done_when_approved CHECK (done_at IS NULL OR decision = 'approved'),
    ADD CONSTRAINT reason_of_refusal CHECK ((reason IS NOT NULL) = (decision = 'refused'));
DROP INDEX edge.erasures_to_do;
CREATE INDEX erasures_to_do ON edge.erasure_requests (requested_at) WHERE done_at IS NULL AND decision = 'approved';
CREATE INDEX erasures_by_time ON edge.erasure_requests (requested_at, id);
GRANT UPDATE (decision, decided_by, decided_at, reason) ON edge.erasure_requests TO amply_edge;

-- Requests of all organizations, for staff: random ids and codes, no person.
CREATE FUNCTION edge.erasures_for_staff(
    wanted text, state text, after_time timestamptz, after_id text, most integer
) RETURNS TABLE (
    id text, organization text, profile text, basis text, status text, requested_by text,
    created_at timestamptz, decided_by text, decided_at timestamptz, reason text, done_at timestamptz
)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT q.id, q.organization, q.profile, q.basis, s.status, q.requested_by, q.requested_at,
        q.decided_by, q.decided_at, q.reason, q.done_at
    FROM edge.erasure_requests AS q, LATERAL (SELECT CASE
        WHEN q.done_at IS NOT NULL THEN 'done'
        WHEN q.decision = 'approved' THEN 'requested' ELSE q.decision END AS status) AS s
    WHERE (wanted IS NULL OR q.id = wanted) AND (state IS NULL OR s.status = state)
        AND (after_time IS NULL OR (q.requested_at, q.id) > (after_time, after_id))
    ORDER BY q.requested_at, q.id LIMIT most
$$;
REVOKE ALL ON FUNCTION edge.erasures_for_staff FROM PUBLIC;
GRANT EXECUTE ON FUNCTION edge.erasures_for_staff TO amply_edge;

-- Named among the organizations in scope, as where else a person is the tenant.
DROP POLICY own ON edge.person_erasures;
CREATE POLICY own ON edge.person_erasures USING (person = ANY (read.organizations_in_scope()));
