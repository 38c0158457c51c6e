-- People who sign in at a provider of identities, and their sessions. Rows belong to a person, not to an
-- organization: the edge finds any of them, since it looks before it knows whose they are, and writes
-- only those of the person that its transaction names in "app.person".

CREATE FUNCTION read.person_in_scope() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.person', true), '');

-- "identity_hash" is a keyed hash of the provider and of the person's id there, "email_hash" one of an
-- address that the provider has verified; "profile" is name and address, encrypted under the person's own
-- key. Destroying wrapped_key forgets the person; the id stays for those who name it.
CREATE TABLE edge.people (
    id            text        PRIMARY KEY CHECK (id ~ '^usr_[0-9a-z]{26}$'),
    identity_hash bytea       NOT NULL UNIQUE CHECK (octet_length(identity_hash) = 32),
    email_hash    bytea       CHECK (octet_length(email_hash) = 32),
    wrapped_key   bytea,
    profile       bytea       CHECK (octet_length(profile) <= 4096),
    created_at    timestamptz NOT NULL DEFAULT now(),
    forgotten_at  timestamptz,
    CHECK ((forgotten_at IS NULL) = (wrapped_key IS NOT NULL)),
    CHECK (forgotten_at IS NULL OR (email_hash IS NULL AND profile IS NULL))
);
CREATE INDEX people_by_email ON edge.people (email_hash) WHERE email_hash IS NOT NULL;

-- Only a keyed hash of a session's secret is kept. "authenticated_at" and "is_strong" are when the provider
-- says that the person signed in, and whether with a second factor; "agent" is the browser's name, encrypted
-- under the person's key.
CREATE TABLE edge.sessions (
    id               text        PRIMARY KEY CHECK (id ~ '^ses_[0-9a-z]{26}$'),
    person           text        NOT NULL REFERENCES edge.people,
    secret_hash      bytea       NOT NULL UNIQUE CHECK (octet_length(secret_hash) = 32),
    authenticated_at timestamptz,
    is_strong        boolean     NOT NULL,
    agent            bytea       CHECK (octet_length(agent) <= 1024),
    created_at       timestamptz NOT NULL,
    seen_at          timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL CHECK (expires_at > created_at),
    revoked_at       timestamptz
);
CREATE INDEX sessions_by_person ON edge.sessions (person);

GRANT SELECT, INSERT ON edge.people TO amply_edge;
GRANT UPDATE (email_hash, profile) ON edge.people TO amply_edge;
GRANT SELECT, INSERT, DELETE ON edge.sessions TO amply_edge;
GRANT UPDATE (seen_at, revoked_at) ON edge.sessions TO amply_edge;

ALTER TABLE edge.people ENABLE ROW LEVEL SECURITY;
ALTER TABLE edge.people FORCE ROW LEVEL SECURITY;
ALTER TABLE edge.sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE edge.sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON edge.people USING (id = read.person_in_scope());
CREATE POLICY lookup ON edge.people FOR SELECT TO amply_edge USING (true);
CREATE POLICY own ON edge.sessions USING (person = read.person_in_scope());
CREATE POLICY lookup ON edge.sessions FOR SELECT TO amply_edge USING (true);

-- Destroys a person's key, and ends their sessions. The same person is somebody new when they come again.
CREATE FUNCTION edge.forget_person(forgotten text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    DELETE FROM edge.sessions WHERE person = forgotten;
    UPDATE edge.people
        SET wrapped_key = NULL, profile = NULL, email_hash = NULL, forgotten_at = now(),
            identity_hash = sha256(uuid_send(gen_random_uuid()))
        WHERE id = forgotten AND forgotten_at IS NULL;
    RETURN FOUND;
END
$$;
REVOKE ALL ON FUNCTION edge.forget_person FROM PUBLIC;
GRANT EXECUTE ON FUNCTION edge.forget_person TO amply_operations, amply_edge;
