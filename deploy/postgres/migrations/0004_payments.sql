-- What payments owns: attempts to collect a gift, client secrets, who revoked our access, ignored events.

CREATE SCHEMA payments;
GRANT USAGE ON SCHEMA payments TO amply_payments, amply_operations;

-- In the order in which an attempt may move; it never moves back.
CREATE TYPE payments.state AS ENUM ('calling', 'processing', 'requires_action', 'failed', 'captured');

-- The try to collect a gift. "calling" is committed before Stripe is called: whatever happens next, the
-- event that answers finds its gift, and one that stays there has an unknown outcome. "attempt" numbers
-- the idempotency key in use: the next one is taken when Stripe answers a key with its own failure.
CREATE TABLE payments.attempts (
    organization        text           NOT NULL,
    donation            text           NOT NULL,
    state               payments.state NOT NULL DEFAULT 'calling',
    attempt             smallint       NOT NULL DEFAULT 1,
    unresolved_since    timestamptz,
    account             text,
    payment_intent      text,
    charge              text,
    balance_transaction text,
    request             bytea          NOT NULL,
    created_at          timestamptz    NOT NULL DEFAULT now(),
    PRIMARY KEY (donation, organization),
    CHECK (state IN ('calling', 'failed') OR payment_intent IS NOT NULL),
    CHECK ((state = 'captured') = (charge IS NOT NULL)),
    CHECK ((charge IS NULL) = (balance_transaction IS NULL))
) PARTITION BY HASH (organization);
-- Partial, so that only a search for such an object can use them: whole, they are empty at first, and a
-- planner without statistics takes an empty index for the best way to any row.
CREATE UNIQUE INDEX attempts_by_payment_intent ON payments.attempts (payment_intent, organization)
    WHERE payment_intent IS NOT NULL;
CREATE UNIQUE INDEX attempts_by_charge ON payments.attempts (charge, organization)
    WHERE charge IS NOT NULL;
CREATE UNIQUE INDEX attempts_by_balance_transaction ON payments.attempts (balance_transaction, organization)
    WHERE balance_transaction IS NOT NULL;

-- What the donor's browser needs for 3-D Secure: AES-256-GCM under a key outside the database.
CREATE TABLE payments.client_secrets (
    organization text  NOT NULL,
    donation     text  NOT NULL,
    ciphertext   bytea NOT NULL,
    PRIMARY KEY (donation, organization)
) PARTITION BY HASH (organization);

DO $$
DECLARE
    parent text;
    part integer;
BEGIN
    FOREACH parent IN ARRAY ARRAY['attempts', 'client_secrets'] LOOP
        FOR part IN 0..3 LOOP
            EXECUTE format('CREATE TABLE payments.%I PARTITION OF payments.%I FOR VALUES WITH (MODULUS 4, REMAINDER %s)',
                parent || '_' || part, parent, part);
        END LOOP;
    END LOOP;
END
$$;

-- The newest word of Stripe on whether an account still lets us act for it.
CREATE TABLE payments.accounts (
    account      text        PRIMARY KEY,
    organization text        NOT NULL,
    authorized   boolean     NOT NULL,
    changed_at   timestamptz NOT NULL
);

-- Events that moved nothing here, and why. "account_mismatch" and "access_revoked" want a person's look.
CREATE TABLE payments.ignored_events (
    event        text        PRIMARY KEY,
    event_type   text        NOT NULL,
    organization text        NOT NULL,
    account      text        NOT NULL,
    object       text        NOT NULL,
    reason       text        NOT NULL
        CHECK (reason IN ('foreign', 'account_mismatch', 'access_revoked', 'not_found')),
    ignored_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ignored_events_by_reason ON payments.ignored_events (reason, ignored_at);

GRANT SELECT, INSERT, UPDATE ON payments.attempts, payments.client_secrets, payments.accounts TO amply_payments;
GRANT SELECT, INSERT ON payments.ignored_events TO amply_payments;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['attempts', 'client_secrets', 'accounts', 'ignored_events'] LOOP
        EXECUTE format('ALTER TABLE payments.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE payments.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON payments.%I USING (organization = ANY (read.organizations_in_scope()))', name);
    END LOOP;
END
$$;
GRANT SELECT ON payments.attempts, payments.accounts, payments.ignored_events TO amply_operations;
CREATE POLICY operators ON payments.attempts FOR SELECT TO amply_operations USING (true);
CREATE POLICY operators ON payments.accounts FOR SELECT TO amply_operations USING (true);
CREATE POLICY operators ON payments.ignored_events FOR SELECT TO amply_operations USING (true);

-- Whether a gift was promised to some organization at all: tells an event that is early from one whose
-- account names another organization's gift. Says yes or no, so that it opens no tenant's data.
CREATE FUNCTION payments.is_known(wanted text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
    RETURN EXISTS (SELECT FROM payments.attempts WHERE donation = wanted);
REVOKE ALL ON FUNCTION payments.is_known FROM PUBLIC;
GRANT EXECUTE ON FUNCTION payments.is_known TO amply_payments;

CREATE VIEW read.client_secrets AS
    SELECT donation, organization, ciphertext FROM payments.client_secrets
    WHERE organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.client_secrets TO amply_edge;
