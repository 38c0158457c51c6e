-- Funds with purposes, projects, campaigns, bookings by members, transactions, and events for outsiders.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'amply_events') THEN
        CREATE ROLE amply_events NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        RAISE 'another database of this cluster is making the same role, migrate again'
            USING ERRCODE = 'serialization_failure';
END
$$;

-- A fund is never deleted: the ledger names it. "version" is what its entity tag is made of.
ALTER TABLE edge.funds
    ADD COLUMN kind        text        NOT NULL DEFAULT 'general'
        CHECK (kind IN ('general', 'project', 'restricted', 'emergency')),
    ADD COLUMN description text        NOT NULL DEFAULT '' CHECK (length(description) <= 2000),
    ADD COLUMN goal_minor  bigint      CHECK (goal_minor > 0),
    ADD COLUMN version     integer     NOT NULL DEFAULT 1,
    ADD COLUMN updated_at  timestamptz NOT NULL DEFAULT now();
CREATE INDEX funds_by_organization ON edge.funds (organization, created_at, id);

CREATE TABLE edge.projects (
    id           text        NOT NULL,
    organization text        NOT NULL,
    fund         text        NOT NULL REFERENCES edge.funds,
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    description  text        NOT NULL DEFAULT '' CHECK (length(description) <= 10000),
    status       text        NOT NULL CHECK (status IN ('planning', 'active', 'completed', 'cancelled')),
    budget_minor bigint      CHECK (budget_minor > 0), -- in the currency of the fund
    starts_on    date,
    ends_on      date,
    impact       jsonb       NOT NULL DEFAULT '[]',
    version      integer     NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, organization),
    CHECK (ends_on >= starts_on)
);
CREATE INDEX projects_by_time ON edge.projects (created_at, id, organization);

CREATE TABLE edge.project_updates (
    id           text        NOT NULL,
    organization text        NOT NULL,
    project      text        NOT NULL,
    title        text        NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    text         text        NOT NULL CHECK (length(text) BETWEEN 1 AND 20000),
    dated        date        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, organization),
    FOREIGN KEY (project, organization) REFERENCES edge.projects
);
CREATE INDEX project_updates_of_project ON edge.project_updates (project, dated, id, organization);

-- The slug is unique within the organization: whether another one has the same is nobody's business.
CREATE TABLE edge.campaigns (
    id           text        NOT NULL,
    organization text        NOT NULL,
    slug         text        NOT NULL CHECK (slug ~ '^[a-z0-9](-?[a-z0-9]){1,62}$'),
    name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    story        text        NOT NULL DEFAULT '' CHECK (length(story) <= 20000),
    kind         text        NOT NULL CHECK (kind IN ('organizational', 'personal', 'team', 'event')),
    status       text        NOT NULL
        CHECK (status IN ('draft', 'active', 'paused', 'completed', 'cancelled')),
    currency     text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    goal_minor   bigint      CHECK (goal_minor > 0),
    fund         text        REFERENCES edge.funds,
    project      text,
    starts_at    timestamptz,
    ends_at      timestamptz,
    version      integer     NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, organization),
    CONSTRAINT campaign_slug UNIQUE (slug, organization),
    FOREIGN KEY (project, organization) REFERENCES edge.projects,
    CHECK (ends_at > starts_at)
);
CREATE INDEX campaigns_by_time ON edge.campaigns (created_at, id, organization);

-- What a member asked the ledger to record. Whether it did is seen there: in read.entries and in
-- read.refused_entries. "is_settled" only says that it was seen, so that few rows are looked at when a
-- fund's money is counted. A transfer waits until its recipient takes it: "entries" is empty until then.
CREATE TABLE edge.bookings (
    organization    text        NOT NULL,
    environment     text        NOT NULL,
    idempotency_key text        NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 255),
    fingerprint     bytea       NOT NULL CHECK (octet_length(fingerprint) = 32),
    id              text        NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('expense', 'grant', 'grant_out', 'interest',
        'allocation', 'transfer_out', 'transfer_in', 'offline_donation', 'correction')),
    fund            text        NOT NULL,
    amount_minor    bigint      NOT NULL CHECK (amount_minor > 0),
    currency        text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    terms           jsonb       NOT NULL, -- as asked, without what identifies a person
    entries         text[]      NOT NULL,
    outflows        jsonb       NOT NULL, -- [fund, account, minor units taken from it]
    is_settled      boolean     NOT NULL DEFAULT false,
    transfer        text,
    recipient       text, -- the organization that a transfer is meant for
    corrects        text,
    created_by      text        NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (idempotency_key, organization, environment)
);
CREATE UNIQUE INDEX bookings_by_id ON edge.bookings (id, organization);
CREATE UNIQUE INDEX bookings_corrected_once ON edge.bookings (corrects, organization) WHERE corrects IS NOT NULL;
CREATE UNIQUE INDEX bookings_of_transfer ON edge.bookings (transfer, kind) WHERE transfer IS NOT NULL;
CREATE INDEX bookings_by_time ON edge.bookings (created_at, id, organization);
CREATE INDEX bookings_open ON edge.bookings (fund, organization) WHERE NOT is_settled;

-- What may be learned by whoever listens from outside, in the order of each organization. "positions"
-- is that order: who appends holds the organization's row until the commit, so a later position is never
-- seen before an earlier one.
CREATE SCHEMA events;
GRANT USAGE ON SCHEMA events TO amply_events, amply_operations;
GRANT USAGE ON SCHEMA read, messages TO amply_events;
GRANT INSERT ON messages.outbox TO amply_events;
GRANT SELECT, INSERT ON messages.inbox TO amply_events;
GRANT SELECT, INSERT, UPDATE, DELETE ON messages.set_aside TO amply_events;

CREATE TABLE events.positions (
    organization text   PRIMARY KEY,
    last         bigint NOT NULL CHECK (last >= 0)
);
CREATE TABLE events.events (
    position     bigint      NOT NULL CHECK (position > 0),
    organization text        NOT NULL,
    id           text        NOT NULL,
    type         text        NOT NULL CHECK (type ~ '^[a-z_]+\.[a-z_]+$'),
    subject      text        NOT NULL,
    time         timestamptz NOT NULL, -- when it happened
    object       text        NOT NULL, -- JSON; nothing in it identifies a person
    appended_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (position, organization),
    UNIQUE (id, organization)
) PARTITION BY HASH (organization);
CREATE INDEX events_by_subject ON events.events (subject, organization, position);
CREATE INDEX events_by_age ON events.events (appended_at);

-- Requests that the ledger's writer refused for good, so that who booked them hears of it.
CREATE TABLE events.refused_entries (
    entry_id     text        NOT NULL,
    organization text        NOT NULL,
    code         text        NOT NULL,
    reason       text        NOT NULL,
    refused_at   timestamptz NOT NULL,
    PRIMARY KEY (entry_id, organization)
);

-- What entries mean for a fund, in the words that people use: derived from entries and openings by
-- `books`, with its sums. For each fund, these amounts sum up to what its assets changed by.
CREATE TABLE ledger.transactions (
    entry_id     text        COLLATE "C" NOT NULL,
    fund         text        COLLATE "C" NOT NULL,
    type         text        NOT NULL CHECK (type IN ('donation', 'grant', 'transfer_in',
        'refund_received', 'interest', 'expense', 'grant_out', 'transfer_out', 'refund_issued', 'fee')),
    organization text        COLLATE "C" NOT NULL,
    id           text        COLLATE "C" NOT NULL,
    index        bigint      NOT NULL,
    kind         text        NOT NULL,
    currency     text        COLLATE "C" NOT NULL,
    amount       numeric     NOT NULL CHECK (scale(amount) = 0), -- positive: into the fund
    recorded_at  timestamptz NOT NULL,
    occurred     text, -- when it happened outside, as the entry's details spell it
    ref          text        COLLATE "C",
    campaign     text,
    project      text,
    booking      text,
    PRIMARY KEY (entry_id, fund, type, organization)
) PARTITION BY HASH (organization);
CREATE INDEX transactions_by_index ON ledger.transactions (organization, index, id);
CREATE INDEX transactions_of_fund ON ledger.transactions (fund, index, id);
CREATE INDEX transactions_by_id ON ledger.transactions (id);
CREATE INDEX transactions_of_project ON ledger.transactions (project, organization) WHERE project IS NOT NULL;
CREATE INDEX transactions_of_campaign ON ledger.transactions (campaign, organization) WHERE campaign IS NOT NULL;
CREATE INDEX transactions_by_ref ON ledger.transactions (ref, organization) WHERE ref IS NOT NULL;

-- `books` sums up everything anew, transactions included.
TRUNCATE ledger.daily_sums, ledger.monthly_figures;
UPDATE ledger.projected SET index = 0;

ALTER TABLE donations.donations ADD COLUMN campaign text;
CREATE INDEX donations_of_campaign ON donations.donations (campaign, organization) WHERE campaign IS NOT NULL;

DO $$
DECLARE
    kept record;
    part integer;
BEGIN
    FOR kept IN SELECT * FROM (VALUES
        ('edge', 'projects', false), ('edge', 'project_updates', false), ('edge', 'campaigns', false),
        ('edge', 'bookings', false), ('events', 'positions', false), ('events', 'events', true),
        ('events', 'refused_entries', false), ('ledger', 'transactions', true)
    ) AS t (owner, name, is_partitioned) LOOP
        IF kept.is_partitioned THEN
            FOR part IN 0..3 LOOP
                EXECUTE format('CREATE TABLE %1$I.%2$I PARTITION OF %1$I.%3$I FOR VALUES WITH (MODULUS 4, REMAINDER %4$s)',
                    kept.owner, kept.name || '_' || part, kept.name, part);
            END LOOP;
        END IF;
        EXECUTE format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', kept.owner, kept.name);
        EXECUTE format('ALTER TABLE %I.%I FORCE ROW LEVEL SECURITY', kept.owner, kept.name);
        EXECUTE format('CREATE POLICY tenant ON %I.%I USING (organization = ANY (read.organizations_in_scope()))',
            kept.owner, kept.name);
    END LOOP;
END
$$;
-- A transfer is seen by both, and made by its giver only.
CREATE POLICY recipient ON edge.bookings FOR SELECT TO amply_edge
    USING (recipient = ANY (read.organizations_in_scope()));

GRANT SELECT, INSERT, UPDATE ON edge.projects, edge.campaigns TO amply_edge;
GRANT SELECT, INSERT ON edge.project_updates, edge.bookings TO amply_edge;
GRANT UPDATE (is_settled, entries) ON edge.bookings TO amply_edge;
GRANT SELECT, INSERT, UPDATE ON events.positions TO amply_events;
GRANT SELECT, INSERT ON events.events, events.refused_entries TO amply_events;
GRANT SELECT, INSERT ON ledger.transactions TO amply_books;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.transactions TO amply_bookkeeping;
GRANT SELECT ON ledger.transactions, events.positions, events.events, events.refused_entries TO amply_operations;

CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON edge.campaigns
    FOR EACH STATEMENT EXECUTE FUNCTION edge.tell_change();

-- Deletes events past retention, at most so many; they are of all organizations.
CREATE FUNCTION events.tidy(days integer, most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    deleted integer;
BEGIN
    DELETE FROM events.events WHERE (position, organization) IN (
        SELECT position, organization FROM events.events
        WHERE appended_at < clock_timestamp() - make_interval(days => days)
        ORDER BY appended_at LIMIT most);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;
REVOKE ALL ON FUNCTION events.tidy FROM PUBLIC;
GRANT USAGE ON SCHEMA events TO amply_edge;
GRANT EXECUTE ON FUNCTION events.tidy TO amply_edge;

-- Views read with their owner's rights, so they repeat the tenant rule.
CREATE VIEW read.events AS
    SELECT position, organization, id, type, subject, time, object, appended_at
    FROM events.events WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.event_positions AS
    SELECT organization, last FROM events.positions
    WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.refused_entries AS
    SELECT entry_id, organization, code, reason, refused_at FROM events.refused_entries
    WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.transactions AS
    SELECT * FROM ledger.transactions WHERE organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.events, read.event_positions, read.refused_entries, read.transactions TO
    amply_edge, amply_operations;

-- Donors as an organization sees them: listed by when they first gave.
GRANT SELECT ON read.donor_gifts TO amply_edge;
CREATE INDEX donor_profiles_by_time ON edge.donor_profiles (created_at, id, organization);

CREATE OR REPLACE VIEW read.donations AS
    SELECT id, organization, status::text AS status, amount_minor, charge_amount_minor, currency, fund,
        covers_fee,
        CASE WHEN status::text IN ('failed', 'canceled', 'expired') THEN failure_code END AS failure_code,
        CASE WHEN status::text IN ('failed', 'canceled', 'expired') THEN decline_code END AS decline_code,
        payment_intent, entry_id, log, index, seq, created_at, updated_at,
        coalesce(attempt, 1) AS attempt, minimum_minor, minimum_currency, campaign
    FROM donations.donations
    WHERE amount_minor IS NOT NULL AND organization = ANY (read.organizations_in_scope());

-- What was given to a campaign: THE definition of "raised". A gift counts with what was intended, without
-- what covers fees, less what was refunded or lies with the donor's bank; never below nothing. Gifts
-- outside the platform count as booked. What sponsors add is a figure of its own.
CREATE VIEW read.campaign_sums AS
    SELECT organization, campaign, currency, sum(raised)::bigint AS raised_minor,
        sum(gifts)::bigint AS gifts, sum(fee_cover)::bigint AS fee_cover_minor,
        sum(matched)::bigint AS matched_minor
    FROM (
        SELECT organization, campaign, currency, amount_minor AS raised, 1 AS gifts,
            charge_amount_minor - amount_minor AS fee_cover, 0 AS matched
        FROM donations.donations
        WHERE campaign IS NOT NULL AND status::text IN ('captured', 'recorded')
            AND organization = ANY (read.organizations_in_scope())
        UNION ALL
        SELECT d.organization, d.campaign, d.currency, -least(d.amount_minor, l.lost), 0, 0, 0
        FROM (
            SELECT donation, organization, sum(minor) AS lost FROM (
                SELECT donation, organization, amount_minor AS minor FROM donations.refunds
                WHERE status = 'succeeded' AND organization = ANY (read.organizations_in_scope())
                UNION ALL
                SELECT donation, organization, withdrawn_minor FROM donations.disputes
                WHERE withdrawn_minor > 0 AND organization = ANY (read.organizations_in_scope())
            ) AS losses GROUP BY donation, organization
        ) AS l
        JOIN donations.donations AS d ON d.id = l.donation AND d.organization = l.organization
        WHERE d.campaign IS NOT NULL AND d.status::text IN ('captured', 'recorded')
        UNION ALL
        SELECT organization, campaign, currency,
            CASE WHEN kind = 'matching' THEN 0 ELSE amount END,
            CASE WHEN kind = 'offline_donation' THEN 1 ELSE 0 END, 0,
            CASE WHEN kind = 'matching' THEN amount ELSE 0 END
        FROM ledger.transactions
        WHERE campaign IS NOT NULL AND type IN ('donation', 'refund_issued')
            AND (kind IN ('offline_donation', 'matching') OR (kind = 'adjustment' AND booking IS NOT NULL))
            AND organization = ANY (read.organizations_in_scope())
    ) AS parts
    GROUP BY organization, campaign, currency;
GRANT SELECT ON read.campaign_sums TO amply_edge, amply_operations;
