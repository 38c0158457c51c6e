-- What accounts owns: the connected accounts of organizations, as Stripe last showed them.
--
-- An organization has one current account at most, that new gifts go to, and one that is being set up.
-- Retired ones stay for ever: their refunds, disputes and payouts still come. What payments and the edge
-- kept of accounts until now moves here.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'amply_accounts') THEN
        CREATE ROLE amply_accounts NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        RAISE 'another database of this cluster is making the same role, migrate again'
            USING ERRCODE = 'serialization_failure';
END
$$;

CREATE SCHEMA accounts;
GRANT USAGE ON SCHEMA accounts TO amply_accounts, amply_operations;
GRANT USAGE ON SCHEMA read, messages TO amply_accounts;
GRANT INSERT ON messages.outbox TO amply_accounts;
GRANT SELECT, INSERT ON messages.inbox TO amply_accounts;
GRANT SELECT, INSERT, UPDATE, DELETE ON messages.set_aside TO amply_accounts;

-- "looked_at" is when the look began that saw all this, by the clock of this database: of two looks the
-- one that began later wins. NULL: nobody has looked yet. "due" and "in_review" are Stripe's names of
-- requirements; "bank_status" is that of the bank account for the default currency.
CREATE TABLE accounts.accounts (
    account           text        PRIMARY KEY,
    organization      text        NOT NULL,
    stage             text        NOT NULL CHECK (stage IN ('onboarding', 'current', 'retired')),
    authorized        boolean     NOT NULL DEFAULT true,
    charges_enabled   boolean     NOT NULL DEFAULT false,
    payouts_enabled   boolean     NOT NULL DEFAULT false,
    details_submitted boolean     NOT NULL DEFAULT false,
    disabled_reason   text,
    due               text[]      NOT NULL DEFAULT '{}',
    due_by            timestamptz,
    in_review         text[]      NOT NULL DEFAULT '{}',
    country           text        CHECK (country ~ '^[A-Z]{2}$'),
    default_currency  text        CHECK (default_currency ~ '^[A-Z]{3}$'),
    bank_account      text,
    bank_status       text,
    looked_at         timestamptz,
    changed_at        timestamptz NOT NULL DEFAULT now(),
    created_at        timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX one_current_account ON accounts.accounts (organization) WHERE stage = 'current';
CREATE UNIQUE INDEX one_account_in_onboarding ON accounts.accounts (organization) WHERE stage = 'onboarding';

-- Committed before Stripe is asked for an account: the idempotency key is of organization and number, so
-- that no repetition makes a second one, and one whose answer was lost is found by them.
CREATE TABLE accounts.creations (
    organization text        NOT NULL,
    number       integer     NOT NULL CHECK (number > 0),
    country      text        NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    account      text,
    begun_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization, number)
);

-- What came of a request. "url" is a link that signs its holder in at Stripe: AES-256-GCM under a key
-- outside the database.
CREATE TABLE accounts.requests (
    request      text        NOT NULL,
    organization text        NOT NULL,
    action       text        NOT NULL,
    outcome      text        NOT NULL CHECK (outcome IN ('done', 'refused')),
    code         text        CHECK ((code IS NOT NULL) = (outcome = 'refused')),
    account      text,
    url          bytea,
    expires_at   timestamptz CHECK ((expires_at IS NULL) = (url IS NULL)),
    settled_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (request, organization)
);

INSERT INTO accounts.accounts (account, organization, stage, authorized, charges_enabled)
    SELECT o.stripe_account, o.id, 'current', coalesce(a.authorized, true), o.charges_enabled
    FROM edge.organizations AS o LEFT JOIN payments.accounts AS a ON a.account = o.stripe_account
    WHERE o.stripe_account IS NOT NULL;

GRANT SELECT, INSERT, UPDATE ON accounts.accounts, accounts.creations TO amply_accounts;
GRANT SELECT, INSERT ON accounts.requests TO amply_accounts;
GRANT SELECT ON accounts.accounts, accounts.creations, accounts.requests TO amply_operations;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['accounts', 'creations', 'requests'] LOOP
        EXECUTE format('ALTER TABLE accounts.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE accounts.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON accounts.%I USING (organization = ANY (read.organizations_in_scope()))', name);
        EXECUTE format('CREATE POLICY operators ON accounts.%I FOR SELECT TO amply_operations USING (true)', name);
    END LOOP;
END
$$;

-- Whose account it is, is asked before it is known whose event came: like organizations, accounts can be
-- looked up by all who handle money.
CREATE VIEW read.accounts AS
    SELECT organization, account, stage = 'current' AS is_current, authorized, charges_enabled,
        payouts_enabled, details_submitted, disabled_reason, country, default_currency, changed_at,
        stage, due, due_by, in_review, bank_account, bank_status, created_at
    FROM accounts.accounts;
GRANT SELECT ON read.accounts TO
    amply_edge, amply_payments, amply_payouts, amply_accounts, amply_operations;

CREATE VIEW read.account_requests AS
    SELECT request, organization, action, outcome, code, account, url, expires_at, settled_at
    FROM accounts.requests WHERE organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.account_requests TO amply_edge;

-- The edge's directory drops what changed; a look that saw nothing new is no change.
CREATE FUNCTION accounts.tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('edge_directory', TG_TABLE_NAME);
    PERFORM pg_notify('accounts', NEW.organization);
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_new AFTER INSERT ON accounts.accounts
    FOR EACH ROW EXECUTE FUNCTION accounts.tell_change();
CREATE TRIGGER tell_change AFTER UPDATE ON accounts.accounts
    FOR EACH ROW WHEN (OLD.changed_at IS DISTINCT FROM NEW.changed_at)
    EXECUTE FUNCTION accounts.tell_change();

-- Who waits at the edge for an answer is woken by the request's id.
CREATE FUNCTION accounts.tell_answer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('accounts', NEW.request);
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_answer AFTER INSERT ON accounts.requests
    FOR EACH ROW EXECUTE FUNCTION accounts.tell_answer();

-- The columns that others know stay, and say what accounts says.
CREATE OR REPLACE VIEW read.organizations AS
    SELECT o.id, o.slug, o.name, o.log, a.account AS stripe_account,
        coalesce(a.authorized AND a.charges_enabled, false) AS charges_enabled, o.accepts_donations,
        o.visibility, o.public_after_days
    FROM edge.organizations AS o
    LEFT JOIN accounts.accounts AS a ON a.organization = o.id AND a.stage = 'current';
ALTER TABLE edge.organizations DROP COLUMN stripe_account, DROP COLUMN charges_enabled;
DROP TABLE payments.accounts;

-- An event that came to the endpoint of the other kind of accounts is kept with that reason.
ALTER TABLE edge.stripe_events DROP CONSTRAINT stripe_events_disposition_check,
    ADD CONSTRAINT stripe_events_disposition_check CHECK (disposition IN ('passed_on', 'unknown_type',
        'wrong_mode', 'no_account', 'unknown_account', 'wrong_endpoint', 'malformed'));
GRANT SELECT ON read.organizations TO amply_accounts;
