-- What the edge owns: organizations, funds, keys, donor profiles, accepted requests, Stripe's events.

CREATE SCHEMA edge;
GRANT USAGE ON SCHEMA edge TO amply_edge;

CREATE TABLE edge.organizations (
    id                text        PRIMARY KEY,
    slug              text        NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9](-?[a-z0-9]){1,62}$'),
    name              text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    log               integer     NOT NULL DEFAULT 0,
    visibility        text        NOT NULL DEFAULT 'public_full'
        CHECK (visibility IN ('public_full', 'public_aggregated', 'delayed_public', 'internal_only')),
    public_after_days integer     NOT NULL DEFAULT 365 CHECK (public_after_days > 0),
    accepts_donations boolean     NOT NULL DEFAULT true,
    stripe_account    text        UNIQUE,
    charges_enabled   boolean     NOT NULL DEFAULT false,
    is_platform       boolean     NOT NULL DEFAULT false,
    created_at        timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX one_platform ON edge.organizations (is_platform) WHERE is_platform;

CREATE TABLE edge.funds (
    id           text        PRIMARY KEY,
    organization text        NOT NULL REFERENCES edge.organizations,
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    currency     text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    visibility   text
        CHECK (visibility IN ('public_full', 'public_aggregated', 'delayed_public', 'internal_only')),
    is_default   boolean     NOT NULL DEFAULT false,
    is_active    boolean     NOT NULL DEFAULT true,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX one_default_fund ON edge.funds (organization, currency) WHERE is_default;

-- Only a keyed hash of the secret is kept (HMAC-SHA256 under a key outside the database).
CREATE TABLE edge.api_keys (
    id           text        PRIMARY KEY,
    organization text        NOT NULL REFERENCES edge.organizations,
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    environment  text        NOT NULL CHECK (environment IN ('live', 'test')),
    secret_hash  bytea       NOT NULL UNIQUE CHECK (octet_length(secret_hash) = 32),
    scopes       text[]      NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now()
);

-- One person as one organization knows them. Destroying wrapped_key forgets the person.
CREATE TABLE edge.donor_profiles (
    id           text        NOT NULL,
    organization text        NOT NULL,
    person_hash  bytea       NOT NULL CHECK (octet_length(person_hash) = 32),
    wrapped_key  bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, organization),
    UNIQUE (person_hash, organization)
) PARTITION BY HASH (organization);

-- A request that was answered 202, and its answer, kept so that a retry gets the same one.
CREATE TABLE edge.requests (
    organization    text        NOT NULL,
    environment     text        NOT NULL,
    route           text        NOT NULL,
    idempotency_key text        NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    fingerprint     bytea       NOT NULL CHECK (octet_length(fingerprint) = 32),
    donation        text        NOT NULL,
    created_by      text        NOT NULL,
    answer          bytea       NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (idempotency_key, organization, environment, route)
) PARTITION BY HASH (organization);
CREATE INDEX requests_by_donation ON edge.requests (donation);

DO $$
DECLARE
    parent text;
    part integer;
BEGIN
    FOREACH parent IN ARRAY ARRAY['donor_profiles', 'requests'] LOOP
        FOR part IN 0..3 LOOP
            EXECUTE format('CREATE TABLE edge.%I PARTITION OF edge.%I FOR VALUES WITH (MODULUS 4, REMAINDER %s)',
                parent || '_' || part, parent, part);
        END LOOP;
    END LOOP;
END
$$;

-- Verified webhooks, encrypted, for 30 days. "disposition" says what became of the event here:
-- passed on to the topic, or kept aside because it is not for this platform.
CREATE TABLE edge.stripe_events (
    id          text        PRIMARY KEY,
    event_type  text        NOT NULL,
    account     text,
    disposition text        NOT NULL
        CHECK (disposition IN ('passed_on', 'unknown_type', 'wrong_mode', 'no_account', 'unknown_account',
            'malformed')),
    body        bytea       NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stripe_events_by_time ON edge.stripe_events (received_at);

GRANT SELECT, INSERT, UPDATE ON edge.organizations, edge.funds, edge.api_keys TO amply_edge;
GRANT SELECT, INSERT ON edge.donor_profiles, edge.requests TO amply_edge;
GRANT SELECT, INSERT, DELETE ON edge.stripe_events TO amply_edge;

-- Tenants. Organizations, funds and keys are looked up before it is known whose request it is: the
-- edge reads them all, and writes within the organizations that its transaction names.
DO $$
DECLARE
    tenant record;
BEGIN
    FOR tenant IN SELECT * FROM (VALUES
        ('organizations', 'id', true), ('funds', 'organization', true),
        ('api_keys', 'organization', true), ('donor_profiles', 'organization', false),
        ('requests', 'organization', false)
    ) AS t (name, key, readable) LOOP
        EXECUTE format('ALTER TABLE edge.%I ENABLE ROW LEVEL SECURITY', tenant.name);
        EXECUTE format('ALTER TABLE edge.%I FORCE ROW LEVEL SECURITY', tenant.name);
        EXECUTE format('CREATE POLICY tenant ON edge.%I USING (%I = ANY (read.organizations_in_scope()))',
            tenant.name, tenant.key);
        IF tenant.readable THEN
            EXECUTE format('CREATE POLICY lookup ON edge.%I FOR SELECT TO amply_edge USING (true)', tenant.name);
        END IF;
    END LOOP;
END
$$;

-- What workers may read. A view reads with its owner's rights, so it repeats the tenant rule.
CREATE VIEW read.organizations AS
    SELECT id, slug, name, log, stripe_account, charges_enabled, accepts_donations, visibility,
        public_after_days
    FROM edge.organizations;
GRANT SELECT ON read.organizations TO
    amply_edge, amply_payments, amply_payouts, amply_notifications, amply_bookkeeping, amply_operations;

CREATE VIEW read.donor_keys AS
    SELECT id, organization, wrapped_key FROM edge.donor_profiles
    WHERE organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.donor_keys TO amply_notifications, amply_edge;

CREATE VIEW read.funds AS
    SELECT id, organization, name, currency, is_default, is_active FROM edge.funds;
GRANT SELECT ON read.funds TO amply_edge, amply_payouts, amply_bookkeeping, amply_operations;

-- Caches at the edge drop what changed.
CREATE FUNCTION edge.tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('edge_directory', TG_TABLE_NAME);
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON edge.organizations
    FOR EACH STATEMENT EXECUTE FUNCTION edge.tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON edge.funds
    FOR EACH STATEMENT EXECUTE FUNCTION edge.tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON edge.api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION edge.tell_change();
