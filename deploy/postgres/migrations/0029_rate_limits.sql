-- How often an organization's keys may ask, where that differs from everybody's: "rate" is a name of
-- edge/limits/policies.py, "most" hits in its window, 0: as many as come. Operators decide it.
CREATE TABLE edge.rate_limits (
    organization text        NOT NULL REFERENCES edge.organizations (id),
    rate         text        NOT NULL CHECK (rate ~ '^key\.[a-z_]{1,20}$'),
    most         integer     NOT NULL CHECK (most BETWEEN 0 AND 1000000),
    decided_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (rate, organization)
);
ALTER TABLE edge.rate_limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE edge.rate_limits FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON edge.rate_limits USING (organization = ANY (read.organizations_in_scope()));
-- Looked up before it is known whose request it is, as keys are.
CREATE POLICY lookup ON edge.rate_limits FOR SELECT TO amply_edge USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON edge.rate_limits TO amply_edge;
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON edge.rate_limits
    FOR EACH STATEMENT EXECUTE FUNCTION edge.tell_change();
