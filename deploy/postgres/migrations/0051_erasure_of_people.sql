-- People who asked to be forgotten themselves. The edge ends what they are in organizations and their
-- sessions, and writes the row; `retention` writes the journal's line and destroys their key.
CREATE TABLE edge.person_erasures (
    id           text        PRIMARY KEY CHECK (id ~ '^era_[0-9a-z]{26}$'),
    person       text        NOT NULL UNIQUE REFERENCES edge.people,
    basis        text        NOT NULL CHECK (basis ~ '^[a-z0-9-]{1,40}$'),
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at      timestamptz
);
CREATE INDEX person_erasures_to_do ON edge.person_erasures (requested_at) WHERE done_at IS NULL;
ALTER TABLE edge.person_erasures ENABLE ROW LEVEL SECURITY;
ALTER TABLE edge.person_erasures FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON edge.person_erasures USING (person = read.person_in_scope());
GRANT SELECT, INSERT ON edge.person_erasures TO amply_edge;
GRANT SELECT, UPDATE (done_at), DELETE ON edge.person_erasures TO amply_retention;
GRANT EXECUTE ON FUNCTION edge.forget_person TO amply_retention;
-- One path for all: who forgets writes the journal before.
REVOKE EXECUTE ON FUNCTION edge.forget_person FROM amply_edge;
