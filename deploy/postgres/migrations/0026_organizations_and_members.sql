-- Organizations that apply, are reviewed, suspended, closed; their members and invitations; keys that are
-- rotated and keys for web pages; collectors; staff.

-- Those from before were registered by operators: they are verified. "reason" is what staff last said about
-- the status, for the organization's own people. "suspended_at" is set exactly while it is suspended.
ALTER TABLE edge.organizations
    ADD COLUMN status             text        NOT NULL DEFAULT 'verified'
        CHECK (status IN ('pending', 'verified', 'suspended', 'closed')),
    ADD COLUMN review             text        NOT NULL DEFAULT 'approved'
        CHECK (review IN ('requested', 'information_requested', 'approved', 'rejected', 'withdrawn')),
    ADD COLUMN reason             text        CHECK (length(reason) BETWEEN 1 AND 2000),
    ADD COLUMN kind               text        NOT NULL DEFAULT 'nonprofit'
        CHECK (kind IN ('nonprofit', 'charity', 'foundation', 'association', 'ngo', 'fiscally_sponsored')),
    ADD COLUMN verification_level text        NOT NULL DEFAULT 'standard'
        CHECK (verification_level IN ('standard', 'enhanced', 'comprehensive')),
    ADD COLUMN description        text        CHECK (length(description) BETWEEN 1 AND 5000),
    ADD COLUMN website            text        CHECK (length(website) BETWEEN 1 AND 500),
    ADD COLUMN logo               text        CHECK (length(logo) BETWEEN 1 AND 500),
    ADD COLUMN country            text        CHECK (country ~ '^[A-Z]{2}$'),
    ADD COLUMN sdgs               smallint[]  NOT NULL DEFAULT '{}' CHECK (sdgs <@ ARRAY[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]::smallint[]),
    ADD COLUMN default_currency   text        CHECK (default_currency ~ '^[A-Z]{3}$'),
    ADD COLUMN is_listed          boolean     NOT NULL DEFAULT true,
    ADD COLUMN applied_by         text,
    ADD COLUMN version            integer     NOT NULL DEFAULT 1,
    ADD COLUMN verified_at        timestamptz,
    ADD COLUMN suspended_at       timestamptz,
    ADD COLUMN updated_at         timestamptz NOT NULL DEFAULT now(),
    ADD CHECK ((suspended_at IS NOT NULL) = (status = 'suspended')),
    ADD CHECK (status = 'closed' OR (status = 'pending') = (review IN ('requested', 'information_requested')));
UPDATE edge.organizations SET verified_at = created_at;
CREATE INDEX organizations_by_time ON edge.organizations (created_at, id);

-- Members. A row stays when its member has gone: it is what refuses whatever SpiceDB was not told yet.
-- The person reads the own rows by naming the own id where organizations are named.
CREATE TABLE edge.members (
    person       text        NOT NULL CHECK (person ~ '^usr_'),
    organization text        NOT NULL REFERENCES edge.organizations,
    role         text        NOT NULL
        CHECK (role IN ('owner', 'admin', 'finance', 'content', 'viewer', 'auditor', 'board')),
    expires_at   timestamptz CHECK (expires_at IS NULL OR role = 'auditor'),
    version      integer     NOT NULL DEFAULT 1,
    added_by     text        NOT NULL,
    removed_by   text,
    removed_at   timestamptz CHECK ((removed_at IS NULL) = (removed_by IS NULL)),
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person, organization)
);
CREATE INDEX members_by_organization ON edge.members (organization, created_at, person);

-- "token_hash" and "email_hash" are keyed hashes; "sealed" is the address and the token, encrypted, for the
-- mail alone, and goes once the invitation is over.
CREATE TABLE edge.invitations (
    id           text        NOT NULL,
    organization text        NOT NULL REFERENCES edge.organizations,
    role         text        NOT NULL
        CHECK (role IN ('owner', 'admin', 'finance', 'content', 'viewer', 'auditor', 'board')),
    role_expires_at timestamptz CHECK (role_expires_at IS NULL OR role = 'auditor'),
    token_hash   bytea       NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    email_hash   bytea       NOT NULL CHECK (octet_length(email_hash) = 32),
    sealed       bytea,
    status       text        NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'accepted', 'revoked')),
    invited_by   text        NOT NULL,
    accepted_by  text,
    expires_at   timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, organization),
    CHECK ((accepted_by IS NOT NULL) = (status = 'accepted')),
    CHECK (status = 'open' OR sealed IS NULL)
);
CREATE UNIQUE INDEX one_open_invitation ON edge.invitations (email_hash, organization) WHERE status = 'open';

-- Shops, points of sale and fundraisers that take gifts for organizations.
CREATE TABLE edge.collectors (
    id         text        PRIMARY KEY CHECK (id ~ '^col_'),
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    kind       text        NOT NULL CHECK (kind IN ('shop', 'point_of_sale', 'fundraiser')),
    website    text        CHECK (length(website) BETWEEN 1 AND 500),
    status     text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'closed')),
    manager    text        NOT NULL,
    version    integer     NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
-- Which organizations allow which collector. A row stays when it is revoked, and refuses then.
CREATE TABLE edge.collections (
    collector    text        NOT NULL REFERENCES edge.collectors,
    organization text        NOT NULL REFERENCES edge.organizations,
    status       text        NOT NULL CHECK (status IN ('allowed', 'revoked')),
    allowed_by   text        NOT NULL,
    version      integer     NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collector, organization)
);
CREATE INDEX collections_by_organization ON edge.collections (organization, created_at, collector);

-- Who works for the platform. A row stays when they have gone.
CREATE TABLE edge.staff (
    person     text        PRIMARY KEY CHECK (person ~ '^usr_'),
    role       text        NOT NULL CHECK (role IN ('support', 'operations', 'superuser')),
    version    integer     NOT NULL DEFAULT 1,
    added_by   text        NOT NULL,
    removed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- A key is an organization's or a collector's. A publishable one may stand in web pages of "origins". After
-- a rotation the secret before serves until "previous_until".
ALTER TABLE edge.api_keys
    ALTER COLUMN organization DROP NOT NULL,
    ADD COLUMN collector      text        REFERENCES edge.collectors,
    ADD COLUMN kind           text        NOT NULL DEFAULT 'secret' CHECK (kind IN ('secret', 'publishable')),
    ADD COLUMN hint           text        CHECK (length(hint) BETWEEN 8 AND 20),
    ADD COLUMN origins        text[]      NOT NULL DEFAULT '{}',
    ADD COLUMN previous_hash  bytea       UNIQUE CHECK (octet_length(previous_hash) = 32),
    ADD COLUMN previous_until timestamptz,
    ADD COLUMN rotated_at     timestamptz,
    ADD COLUMN created_by     text,
    ADD COLUMN version        integer     NOT NULL DEFAULT 1,
    ADD CHECK (num_nonnulls(organization, collector) = 1),
    ADD CHECK ((kind = 'publishable') = (cardinality(origins) > 0)),
    ADD CHECK ((previous_hash IS NULL) = (previous_until IS NULL));
DROP POLICY tenant ON edge.api_keys;
CREATE POLICY tenant ON edge.api_keys
    USING (coalesce(organization, collector) = ANY (read.organizations_in_scope()));

-- When a key was last used, to the hour. Apart from the keys, so that a use is no change of a key.
CREATE TABLE edge.api_key_uses (
    api_key      text        NOT NULL REFERENCES edge.api_keys,
    holder       text        NOT NULL,
    last_used_at timestamptz NOT NULL,
    PRIMARY KEY (api_key, holder)
);

GRANT SELECT, INSERT, UPDATE ON
    edge.members, edge.invitations, edge.collectors, edge.collections, edge.staff, edge.api_key_uses
    TO amply_edge;

DO $$
DECLARE
    tenant record;
BEGIN
    FOR tenant IN SELECT * FROM (VALUES
        ('members', 'organization'), ('invitations', 'organization'), ('collections', 'organization'),
        ('collectors', 'id'), ('api_key_uses', 'holder'), ('staff', 'person')
    ) AS t (name, key) LOOP
        EXECUTE format('ALTER TABLE edge.%I ENABLE ROW LEVEL SECURITY', tenant.name);
        EXECUTE format('ALTER TABLE edge.%I FORCE ROW LEVEL SECURITY', tenant.name);
        EXECUTE format('CREATE POLICY tenant ON edge.%I USING (%I = ANY (read.organizations_in_scope()))',
            tenant.name, tenant.key);
    END LOOP;
END
$$;
-- Persons and collectors read what is theirs; an invitation is found by whoever holds its token, by the
-- token's hash in hexadecimal digits. Collectors and staff are looked up before it is known who asks.
CREATE POLICY own ON edge.members FOR SELECT TO amply_edge
    USING (person = ANY (read.organizations_in_scope()));
CREATE POLICY own ON edge.collections FOR SELECT TO amply_edge
    USING (collector = ANY (read.organizations_in_scope()));
CREATE POLICY holder ON edge.invitations FOR SELECT TO amply_edge
    USING (encode(token_hash, 'hex') = ANY (read.organizations_in_scope()));
CREATE POLICY lookup ON edge.collectors FOR SELECT TO amply_edge USING (true);
CREATE POLICY lookup ON edge.staff FOR SELECT TO amply_edge USING (true);

CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON edge.members
    FOR EACH STATEMENT EXECUTE FUNCTION edge.tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON edge.collections
    FOR EACH STATEMENT EXECUTE FUNCTION edge.tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON edge.collectors
    FOR EACH STATEMENT EXECUTE FUNCTION edge.tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON edge.staff
    FOR EACH STATEMENT EXECUTE FUNCTION edge.tell_change();

-- What SpiceDB was told of persons' roles: with a member's row it says whether a change arrived there.
CREATE VIEW read.roles_written AS
    SELECT resource, relation, subject FROM permissions.relationships
    WHERE subject LIKE 'user:usr\_%'
        AND (organization = ANY (read.organizations_in_scope()) OR resource = 'platform:amply');
GRANT SELECT ON read.roles_written TO amply_edge;
CREATE VIEW read.keys_written AS
    SELECT resource, relation, subject FROM permissions.relationships
    WHERE subject LIKE 'api\_key:%' AND organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.keys_written TO amply_edge;

-- The mail of an invitation: gone when the invitation is over.
CREATE VIEW read.invitation_mails AS
    SELECT i.id, i.organization, i.role, i.sealed, i.expires_at, o.name AS organization_name
    FROM edge.invitations AS i JOIN edge.organizations AS o ON o.id = i.organization
    WHERE i.status = 'open' AND i.sealed IS NOT NULL
        AND i.organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.invitation_mails TO amply_notifications;

-- A suspended organization's money stands still: no first call of a charge, no payout.
CREATE OR REPLACE VIEW read.accounts AS
    SELECT a.organization, a.account, a.stage = 'current' AS is_current, a.authorized, a.charges_enabled,
        a.payouts_enabled, a.details_submitted, a.disabled_reason, a.country, a.default_currency, a.changed_at,
        a.stage, a.due, a.due_by, a.in_review, a.bank_account, a.bank_status, a.created_at,
        coalesce(o.status IN ('suspended', 'closed'), false) AS is_frozen
    FROM accounts.accounts AS a LEFT JOIN edge.organizations AS o ON o.id = a.organization;
CREATE OR REPLACE VIEW read.payout_settings AS
    SELECT s.organization, s.paid_by, s.interval, s.weekday, s.month_day, s.minimum_minor,
        s.under_review OR o.status = 'suspended' AS under_review, s.changed_at
    FROM edge.payout_settings AS s JOIN edge.organizations AS o ON o.id = s.organization;
