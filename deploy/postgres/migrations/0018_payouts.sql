-- Payouts as Stripe shows them, how each was split over funds, and the payouts that Amply makes itself.
--
-- Every table is of one organization; figures are ISO minor units unless a comment says otherwise.

-- A payout, from its first sight on. "split" is done once and never changes; what it waits for before
-- is counted in "waiting_for". Booked are movements: payouts.movements has its rows then.
CREATE TABLE payouts.payouts (
    id                          text        NOT NULL, -- po_...
    organization                text        NOT NULL,
    account                     text        NOT NULL,
    status                      text        NOT NULL
        CHECK (status IN ('pending', 'in_transit', 'paid', 'failed', 'canceled')),
    amount_minor                bigint      NOT NULL, -- what reaches the bank
    fee_minor                   bigint      NOT NULL,
    currency                    text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    automatic                   boolean     NOT NULL,
    arrival_date                timestamptz NOT NULL,
    created_at                  timestamptz NOT NULL,
    failure_code                text,
    balance_transaction         text        NOT NULL,
    moved_at                    timestamptz NOT NULL, -- when Stripe made the balance transaction
    failure_balance_transaction text,
    returned_at                 timestamptz, -- when Stripe made that of the failure
    rule                        text        CHECK (rule IN ('itemised', 'first_in_first_out')),
    foreign_minor               bigint, -- the part that is no money of any fund
    split_at                    timestamptz,
    waiting_since               timestamptz,
    waiting_for                 integer     NOT NULL DEFAULT 0,
    looks                       integer     NOT NULL DEFAULT 0,
    next_look_at                timestamptz,
    seen_at                     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, organization),
    CHECK ((rule IS NULL) = (split_at IS NULL) AND (rule IS NULL) = (foreign_minor IS NULL))
);
CREATE INDEX payouts_by_time ON payouts.payouts (organization, created_at, id);
CREATE INDEX payouts_split ON payouts.payouts (account, currency, moved_at);
CREATE INDEX payouts_waiting ON payouts.payouts (next_look_at) WHERE next_look_at IS NOT NULL;

-- What a payout is made of: the part of each movement that it carries, signed as the movement's net.
-- "fund" is '' for money of others on the same account. Given back with the payout's failure.
CREATE TABLE payouts.items (
    payout              text        NOT NULL,
    balance_transaction text        NOT NULL,
    fund                text        NOT NULL,
    organization        text        NOT NULL,
    account             text        NOT NULL,
    currency            text        NOT NULL,
    category            text        NOT NULL,
    source              text        NOT NULL,
    amount_minor        bigint      NOT NULL CHECK (amount_minor <> 0),
    given_back_at       timestamptz,
    PRIMARY KEY (payout, balance_transaction, fund, organization)
);
CREATE INDEX items_by_transaction ON payouts.items (balance_transaction, organization);

-- Movements on the account that are no gift's and no fee's of ours: another shop's charges, and what of a
-- payout was theirs. Never booked.
CREATE TABLE payouts.foreign_movements (
    balance_transaction text        NOT NULL,
    organization        text        NOT NULL,
    account             text        NOT NULL,
    category            text        NOT NULL,
    source              text        NOT NULL,
    currency            text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    net_minor           bigint      NOT NULL,
    reason              text        NOT NULL CHECK (reason IN ('foreign', 'account_mismatch')),
    occurred_at         timestamptz NOT NULL,
    noted_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (balance_transaction, organization)
);
CREATE INDEX foreign_movements_by_time ON payouts.foreign_movements (account, currency, occurred_at);

-- Payouts that Amply makes: one row a try, written before Stripe is called. "calling" that stays has an
-- unknown outcome, which is looked up before anything else. Times are the business clock's.
CREATE TABLE payouts.attempts (
    organization text        NOT NULL,
    account      text        NOT NULL,
    currency     text        NOT NULL,
    due_on       date        NOT NULL,
    attempt      smallint    NOT NULL CHECK (attempt > 0),
    amount_minor bigint      NOT NULL CHECK (amount_minor > 0),
    state        text        NOT NULL DEFAULT 'calling' CHECK (state IN ('calling', 'created', 'refused', 'failed')),
    bank_account text, -- what it went to: after two failures, only another one is tried
    payout       text,
    code         text, -- Stripe's, of a refusal
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    PRIMARY KEY (account, currency, due_on, attempt, organization),
    CHECK ((payout IS NOT NULL) = (state IN ('created', 'failed')))
);

-- How far the schedule of an account's currency came, and what of its balance no payout can carry.
CREATE TABLE payouts.turns (
    organization text   NOT NULL,
    account      text   NOT NULL,
    currency     text   NOT NULL,
    done_on      date   NOT NULL,
    remainder    bigint NOT NULL DEFAULT 0, -- in the integers of Stripe's API
    PRIMARY KEY (account, currency, organization)
);

-- Why no payout is made, a row a change: the newest of an account's currency holds.
CREATE TABLE payouts.states (
    position     bigint      GENERATED ALWAYS AS IDENTITY,
    organization text        NOT NULL,
    account      text        NOT NULL,
    currency     text        NOT NULL,
    reason       text        NOT NULL CHECK (reason IN ('ready', 'negative_balance', 'nothing_available',
        'minimum_not_reached', 'account_unavailable', 'account_restricted', 'verification_pending',
        'payouts_disabled', 'bank_account_refused', 'under_review', 'retry_waits', 'payout_failed', 'refused')),
    since        timestamptz NOT NULL,
    PRIMARY KEY (account, currency, position, organization)
);

-- Which schedule Amply gave the account at Stripe; none when it never touched it.
CREATE TABLE payouts.schedules (
    account      text        NOT NULL,
    organization text        NOT NULL,
    schedule     text        NOT NULL, -- as Stripe's API spells it, JSON
    set_at       timestamptz NOT NULL,
    PRIMARY KEY (account, organization)
);

-- What the organization wants. paid_by 'stripe': Stripe's own schedule, itemised; 'amply': see above.
CREATE TABLE edge.payout_settings (
    organization  text        PRIMARY KEY REFERENCES edge.organizations,
    paid_by       text        NOT NULL DEFAULT 'stripe' CHECK (paid_by IN ('stripe', 'amply')),
    interval      text        NOT NULL DEFAULT 'daily' CHECK (interval IN ('daily', 'weekly', 'monthly', 'manual')),
    weekday       smallint    CHECK (weekday BETWEEN 1 AND 7), -- ISO: 1 is Monday
    month_day     smallint    CHECK (month_day BETWEEN 1 AND 31), -- the last day in shorter months
    minimum_minor bigint      NOT NULL DEFAULT 0 CHECK (minimum_minor >= 0),
    under_review  boolean     NOT NULL DEFAULT false,
    changed_at    timestamptz NOT NULL,
    CHECK ((interval = 'weekly') = (weekday IS NOT NULL)),
    CHECK ((interval = 'monthly') = (month_day IS NOT NULL))
);
GRANT SELECT, INSERT, UPDATE ON edge.payout_settings TO amply_edge;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['payouts', 'items', 'foreign_movements', 'attempts', 'turns',
        'states', 'schedules'] LOOP
        EXECUTE format('ALTER TABLE payouts.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE payouts.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON payouts.%I USING (organization = ANY (read.organizations_in_scope()))', name);
        EXECUTE format('CREATE POLICY operators ON payouts.%I FOR SELECT TO amply_operations USING (true)', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON payouts.%I TO amply_payouts', name);
        EXECUTE format('GRANT SELECT ON payouts.%I TO amply_operations', name);
    END LOOP;
END
$$;
ALTER TABLE edge.payout_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE edge.payout_settings FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON edge.payout_settings USING (organization = ANY (read.organizations_in_scope()));

-- The payouts whose items are not all booked and whose time to be looked at has come.
CREATE FUNCTION payouts.due_looks(most integer) RETURNS TABLE (organization text, account text, id text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT p.organization, p.account, p.id FROM payouts.payouts AS p
    WHERE p.next_look_at <= now() ORDER BY p.next_look_at LIMIT most
$$;
REVOKE ALL ON FUNCTION payouts.due_looks FROM PUBLIC;
GRANT EXECUTE ON FUNCTION payouts.due_looks TO amply_payouts;

CREATE VIEW read.payout_settings AS
    SELECT organization, paid_by, interval, weekday, month_day, minimum_minor, under_review, changed_at
    FROM edge.payout_settings;
GRANT SELECT ON read.payout_settings TO amply_payouts, amply_operations;
GRANT SELECT ON read.business_clock TO amply_payouts;

CREATE VIEW read.payouts AS
    SELECT * FROM payouts.payouts WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.payout_items AS
    SELECT * FROM payouts.items WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.payout_states AS
    SELECT * FROM payouts.states WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.payout_turns AS
    SELECT * FROM payouts.turns WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.foreign_movements AS
    SELECT * FROM payouts.foreign_movements WHERE organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.payouts, read.payout_items, read.payout_states, read.payout_turns, read.foreign_movements
    TO amply_edge, amply_operations;
GRANT SELECT ON read.foreign_movements TO amply_payments;
