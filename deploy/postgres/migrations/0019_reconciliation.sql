-- What reconciliation owns: runs that compared Stripe with the ledger, the differences they found with
-- both sides shown, both sides by day, events that were swept, objects that got stuck.
--
-- It reads what others own through views and writes nothing of theirs: what differs is healed by the
-- workers, which it asks to look. Figures are ISO minor units, signed as Stripe signs them.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'amply_reconciliation') THEN
        CREATE ROLE amply_reconciliation NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        RAISE 'another database of this cluster is making the same role, migrate again'
            USING ERRCODE = 'serialization_failure';
END
$$;

CREATE SCHEMA reconciliation;
GRANT USAGE ON SCHEMA reconciliation TO amply_reconciliation, amply_operations;
GRANT USAGE ON SCHEMA read, messages TO amply_reconciliation;
GRANT INSERT ON messages.outbox TO amply_reconciliation;

-- One comparison of one account: of everything ("since" is null), or of the days from "since" on.
CREATE TABLE reconciliation.runs (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization text        NOT NULL,
    account      text        NOT NULL,
    since        timestamptz,
    movements    bigint      NOT NULL CHECK (movements >= 0),
    outcome      text        NOT NULL CHECK (outcome IN ('agreed', 'differs', 'unreachable', 'failed')),
    reason       text,
    started_at   timestamptz NOT NULL,
    finished_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX runs_by_account ON reconciliation.runs (account, finished_at);

-- What a run could not find alike on both sides, until a later one finds it so. "subject" is a balance
-- transaction, or what a figure is about ("balance:EUR"); without an account it is about the ledger
-- of all of the organization's accounts. "in_transit" and "foreign" are explained and no fault.
CREATE TABLE reconciliation.differences (
    id                  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization        text        NOT NULL,
    account             text,
    subject             text        NOT NULL,
    class               text        NOT NULL CHECK (class IN
        ('missing_here', 'missing_there', 'differs', 'in_transit', 'foreign', 'unreachable')),
    reason              text        NOT NULL,
    category            text,
    source              text,
    entry               text,
    currency            text        CHECK (currency ~ '^[A-Z]{3}$'),
    occurred_at         timestamptz,
    stripe_amount_minor bigint,
    stripe_fee_minor    bigint,
    stripe_net_minor    bigint,
    ledger_amount_minor bigint,
    ledger_fee_minor    bigint,
    ledger_net_minor    bigint,
    opened_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    healed_at           timestamptz,
    looks               integer     NOT NULL DEFAULT 0,
    look_after          timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE UNIQUE INDEX one_open_difference ON reconciliation.differences (account, subject, organization)
    NULLS NOT DISTINCT WHERE healed_at IS NULL;

-- Both sides by day (UTC, of Stripe's time) and category. The ledger's side is what is recorded.
CREATE TABLE reconciliation.days (
    organization        text   NOT NULL,
    account             text   NOT NULL,
    currency            text   NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    day                 date   NOT NULL,
    category            text   NOT NULL,
    stripe_count        bigint NOT NULL,
    stripe_amount_minor bigint NOT NULL,
    stripe_fee_minor    bigint NOT NULL,
    stripe_net_minor    bigint NOT NULL,
    ledger_count        bigint NOT NULL,
    ledger_amount_minor bigint NOT NULL,
    ledger_fee_minor    bigint NOT NULL,
    ledger_net_minor    bigint NOT NULL,
    PRIMARY KEY (account, currency, day, category, organization)
);

-- What an account came to in its newest run: all of Stripe's movements are explained, to the cent.
CREATE TABLE reconciliation.sums (
    organization     text        NOT NULL,
    account          text        NOT NULL,
    currency         text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    balance_minor    bigint      NOT NULL, -- available and pending, as Stripe says
    movements_minor  bigint      NOT NULL, -- all of Stripe's balance transactions
    ledger_minor     bigint      NOT NULL, -- what the ledger recorded of them in Assets:Stripe
    in_transit_minor bigint      NOT NULL,
    foreign_minor    bigint      NOT NULL,
    different_minor  bigint      NOT NULL,
    as_of            timestamptz NOT NULL,
    PRIMARY KEY (account, currency, organization),
    CONSTRAINT explained_to_the_cent CHECK
        (movements_minor = ledger_minor + in_transit_minor + foreign_minor + different_minor)
);

-- Events that Stripe could not deliver, each swept once. "account" is null for the platform's own.
CREATE TABLE reconciliation.swept_events (
    event        text        PRIMARY KEY,
    account      text,
    organization text,
    event_type   text        NOT NULL,
    object       text,
    disposition  text        NOT NULL CHECK (disposition IN
        ('payments_look', 'payouts_look', 'accounts_look', 'not_handled', 'no_organization')),
    created      timestamptz NOT NULL,
    swept_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX swept_events_by_account ON reconciliation.swept_events (account, created);

-- Objects that have been on their way for longer than they should be.
CREATE TABLE reconciliation.stuck (
    organization text        NOT NULL,
    account      text,
    object       text        NOT NULL,
    kind         text        NOT NULL,
    since        timestamptz NOT NULL,
    looks        integer     NOT NULL DEFAULT 0,
    look_after   timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (object, kind, organization)
);

-- A run that somebody asked for, of one organization or (null) of all.
CREATE TABLE reconciliation.requests (
    id           uuid        PRIMARY KEY,
    organization text,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    taken_at     timestamptz,
    finished_at  timestamptz,
    runs         bigint[]    NOT NULL DEFAULT '{}'
);

GRANT SELECT, INSERT, DELETE ON reconciliation.runs, reconciliation.swept_events TO amply_reconciliation;
GRANT SELECT, INSERT, UPDATE ON reconciliation.differences TO amply_reconciliation;
GRANT SELECT, INSERT, UPDATE, DELETE ON reconciliation.days, reconciliation.sums, reconciliation.stuck
    TO amply_reconciliation;
GRANT SELECT, UPDATE, DELETE ON reconciliation.requests TO amply_reconciliation;
GRANT SELECT ON ALL TABLES IN SCHEMA reconciliation TO amply_operations;
GRANT INSERT ON reconciliation.requests TO amply_operations;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['runs', 'differences', 'days', 'sums', 'swept_events', 'stuck', 'requests'] LOOP
        EXECUTE format('ALTER TABLE reconciliation.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE reconciliation.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON reconciliation.%I USING (organization = ANY (read.organizations_in_scope()))', name);
        -- It schedules and counts over all organizations, and writes within the one that it compares.
        EXECUTE format('CREATE POLICY own ON reconciliation.%I FOR SELECT TO amply_reconciliation USING (true)', name);
        EXECUTE format('CREATE POLICY operators ON reconciliation.%I FOR SELECT TO amply_operations USING (true)', name);
    END LOOP;
END
$$;
-- What is of no organization, or of all: requests of operators, events of the platform's own account.
CREATE POLICY asking ON reconciliation.requests FOR INSERT TO amply_operations WITH CHECK (true);
CREATE POLICY answering ON reconciliation.requests FOR UPDATE TO amply_reconciliation USING (true);
CREATE POLICY tidying ON reconciliation.requests FOR DELETE TO amply_reconciliation USING (true);
CREATE POLICY tidying ON reconciliation.runs FOR DELETE TO amply_reconciliation USING (true);
CREATE POLICY tidying ON reconciliation.swept_events FOR DELETE TO amply_reconciliation USING (true);
CREATE POLICY sweeping ON reconciliation.swept_events FOR INSERT TO amply_reconciliation
    WITH CHECK (organization IS NULL);

-- What an entry moved on the account at Stripe, by fund. It shows nothing else of an entry.
CREATE VIEW read.stripe_postings AS
    SELECT e.organization, e.id AS entry, p.fund, p.currency, p.amount
    FROM ledger.entries AS e
    LEFT JOIN ledger.openings AS o
        ON o.entry_id = e.id AND o.organization = e.organization AND o.section = 'money'
    CROSS JOIN LATERAL jsonb_to_recordset(coalesce(
        convert_from(e.bytes, 'UTF8')::jsonb #> '{money,postings}',
        convert_from(o.plain, 'UTF8')::jsonb #> '{value,postings}'
    )) AS p (account text, fund text, currency text, amount numeric)
    WHERE p.account = 'Assets:Stripe' AND e.organization = ANY (read.organizations_in_scope());

-- Gifts whose payment has no end yet.
CREATE INDEX attempts_open ON payments.attempts (created_at)
    WHERE state IN ('calling', 'processing', 'requires_action');
CREATE VIEW read.open_attempts AS
    SELECT organization, donation, state::text AS state, account, payment_intent, created_at
    FROM payments.attempts
    WHERE state IN ('calling', 'processing', 'requires_action')
        AND organization = ANY (read.organizations_in_scope());

GRANT SELECT ON read.organizations, read.entries, read.balances, read.movements, read.stripe_postings,
    read.open_attempts TO amply_reconciliation;

-- What finance people of an organization may see of it.
CREATE VIEW read.reconciliation_differences AS
    SELECT organization, account, subject, class, reason, category, source, entry, currency, occurred_at,
        stripe_amount_minor, stripe_fee_minor, stripe_net_minor,
        ledger_amount_minor, ledger_fee_minor, ledger_net_minor, opened_at, seen_at, healed_at
    FROM reconciliation.differences WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.reconciliation_days AS
    SELECT * FROM reconciliation.days WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.reconciliation_sums AS
    SELECT * FROM reconciliation.sums WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.reconciliation_runs AS
    SELECT organization, account, since, movements, outcome, finished_at
    FROM reconciliation.runs WHERE organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.reconciliation_differences, read.reconciliation_days, read.reconciliation_sums,
    read.reconciliation_runs TO amply_edge;
