-- What payouts owns: which movements between Stripe and the bank were passed to the ledger.

CREATE SCHEMA payouts;
GRANT USAGE ON SCHEMA payouts TO amply_payouts, amply_operations;

CREATE TABLE payouts.movements (
    organization        text        NOT NULL,
    payout              text        NOT NULL,
    status              text        NOT NULL CHECK (status IN ('paid')),
    balance_transaction text        NOT NULL,
    requested_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (payout, status, organization)
);

-- Events that moved nothing here, and why. "not_booked" wants a person's look: money came back from the bank.
CREATE TABLE payouts.ignored_events (
    event        text        PRIMARY KEY,
    event_type   text        NOT NULL,
    organization text        NOT NULL,
    account      text        NOT NULL,
    object       text        NOT NULL,
    reason       text        NOT NULL
        CHECK (reason IN ('foreign', 'access_revoked', 'not_found', 'not_booked')),
    ignored_at   timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT ON payouts.movements, payouts.ignored_events TO amply_payouts;
GRANT SELECT ON payouts.movements, payouts.ignored_events TO amply_operations;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['movements', 'ignored_events'] LOOP
        EXECUTE format('ALTER TABLE payouts.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE payouts.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON payouts.%I USING (organization = ANY (read.organizations_in_scope()))', name);
        EXECUTE format('CREATE POLICY operators ON payouts.%I FOR SELECT TO amply_operations USING (true)', name);
    END LOOP;
END
$$;
