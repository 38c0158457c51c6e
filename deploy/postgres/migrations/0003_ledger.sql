-- What is true: entries and what is derived from them. No key and no join leads out of this schema.
--
-- The database refuses what cannot be: a gap, a second genesis, a hash that is not that of its bytes,
-- a change of an entry, balances that do not sum to zero, a smaller checkpoint after a larger one.

CREATE SCHEMA ledger;
GRANT USAGE ON SCHEMA ledger TO amply_bookkeeping, amply_checkpoints, amply_operations;

-- One row per log: who may append (the epoch fences whoever wrote before), and the state that the
-- next append continues. "frontier" holds the hashes of the complete subtrees, largest first.
CREATE TABLE ledger.writers (
    log         integer     PRIMARY KEY,
    epoch       bigint      NOT NULL DEFAULT 0,
    owner       text        NOT NULL DEFAULT '',
    next_offset bigint      NOT NULL DEFAULT 0 CHECK (next_offset >= 0),
    size        bigint      NOT NULL DEFAULT 0 CHECK (size >= 0),
    frontier    bytea       NOT NULL DEFAULT '',
    last_time   timestamptz,
    CHECK (octet_length(frontier) = 32 * bit_count(size::bit(64))),
    CHECK ((size = 0) = (last_time IS NULL))
);
INSERT INTO ledger.writers (log) VALUES (0);

CREATE TABLE ledger.entries (
    log          integer     NOT NULL, -- the trigger below finds its writer, once per statement
    index        bigint      NOT NULL CHECK (index >= 0),
    organization text        COLLATE "C" NOT NULL,
    seq          bigint      NOT NULL CHECK (seq >= 0),
    id           text        COLLATE "C" NOT NULL,
    kind         text        NOT NULL,
    bytes        bytea       NOT NULL CHECK (octet_length(bytes) BETWEEN 1 AND 65535),
    leaf_hash    bytea       NOT NULL,
    donor_seal   bytea       CHECK (octet_length(donor_seal) = 32),
    subject      text        COLLATE "C" CHECK (length(subject) <= 255),
    recorded_at  timestamptz NOT NULL,
    CONSTRAINT entries_at_index PRIMARY KEY (log, index),
    CONSTRAINT entries_in_chain UNIQUE (organization, seq),
    CONSTRAINT entries_once UNIQUE (id),
    CONSTRAINT genesis_first CHECK ((kind = 'genesis') = (seq = 0)),
    CONSTRAINT hash_of_bytes CHECK (leaf_hash = sha256('\x00'::bytea || bytes))
);
-- A seal that occurs twice would make every verifier refuse the whole log.
CREATE UNIQUE INDEX entries_donor_seal ON ledger.entries (donor_seal) WHERE donor_seal IS NOT NULL;
CREATE INDEX entries_by_subject ON ledger.entries (subject) WHERE subject IS NOT NULL;

-- The last entry of every organization; "log" is the one log that it belongs to.
CREATE TABLE ledger.chains (
    organization text    COLLATE "C" PRIMARY KEY,
    log          integer NOT NULL REFERENCES ledger.writers,
    seq          bigint  NOT NULL CHECK (seq >= 0),
    head         bytea   NOT NULL CHECK (octet_length(head) = 32)
);

-- A fund is one organization's and its assets have one currency, both fixed by their first posting.
CREATE TABLE ledger.funds (
    id           text COLLATE "C" PRIMARY KEY,
    organization text COLLATE "C" NOT NULL,
    currency     text CHECK (currency ~ '^[A-Z]{3}$')
);

CREATE TABLE ledger.balances (
    organization text    COLLATE "C" NOT NULL,
    fund         text    COLLATE "C" NOT NULL,
    account      text    COLLATE "C" NOT NULL,
    currency     text    COLLATE "C" NOT NULL,
    amount       numeric NOT NULL CHECK (scale(amount) = 0),
    PRIMARY KEY (organization, fund, account, currency)
) PARTITION BY HASH (organization);

-- Money and details in clear, since the ledger must show them to those who may see them; a donor's
-- as the ciphertext that the edge made. They can be deleted, entries cannot.
CREATE TABLE ledger.openings (
    organization text  COLLATE "C" NOT NULL,
    entry_id     text  COLLATE "C" NOT NULL,
    section      text  NOT NULL CHECK (section IN ('money', 'details', 'donor')),
    plain        bytea,
    profile      text,
    ciphertext   text,
    PRIMARY KEY (entry_id, organization, section),
    CHECK ((section = 'donor') = (plain IS NULL)),
    CHECK ((plain IS NULL) = (ciphertext IS NOT NULL) AND (plain IS NULL) = (profile IS NOT NULL))
) PARTITION BY HASH (organization);

DO $$
BEGIN
    FOR part IN 0..3 LOOP
        EXECUTE format('CREATE TABLE ledger.balances_%s PARTITION OF ledger.balances FOR VALUES WITH (MODULUS 4, REMAINDER %s)', part, part);
        EXECUTE format('CREATE TABLE ledger.openings_%s PARTITION OF ledger.openings FOR VALUES WITH (MODULUS 4, REMAINDER %s)', part, part);
    END LOOP;
END
$$;

-- Requests whose reference or genesis is not recorded yet ("waits_for" is an ent_… or an org_…),
-- with the Kafka record they came in.
CREATE TABLE ledger.waiting (
    log          integer     NOT NULL REFERENCES ledger.writers,
    id           text        COLLATE "C" NOT NULL,
    organization text        COLLATE "C" NOT NULL,
    waits_for    text        COLLATE "C" NOT NULL,
    kafka_offset bigint      NOT NULL,
    key          bytea       NOT NULL,
    headers      text        NOT NULL,
    value        bytea       NOT NULL,
    since        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (log, id)
);
CREATE INDEX waiting_by_key ON ledger.waiting (log, waits_for);

-- Every tree head that was ever signed, inserted before it is published.
CREATE TABLE ledger.checkpoints (
    log          integer     NOT NULL REFERENCES ledger.writers,
    size         bigint      NOT NULL CHECK (size > 0),
    root         bytea       NOT NULL CHECK (octet_length(root) = 32),
    note         text        NOT NULL,
    writer_epoch bigint      NOT NULL,
    signed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (log, size)
);

-- The checkpoints whose files are public.
CREATE TABLE ledger.publications (
    log          integer     NOT NULL,
    size         bigint      NOT NULL,
    published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (log, size),
    FOREIGN KEY (log, size) REFERENCES ledger.checkpoints
);

-- The index up to which entries.recorded.v1 has been told, exclusive.
CREATE TABLE ledger.announced (
    log   integer PRIMARY KEY REFERENCES ledger.writers,
    index bigint  NOT NULL DEFAULT 0 CHECK (index >= 0)
);
INSERT INTO ledger.announced (log) VALUES (0);

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger.% is a record of facts: rows are added, never changed or removed', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;

DO $$
DECLARE
    fact text;
BEGIN
    FOREACH fact IN ARRAY ARRAY['entries', 'checkpoints', 'publications'] LOOP
        EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.%I
            FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', fact);
    END LOOP;
END
$$;

-- Entries continue the log and each organization's chain without a gap, up to the size that the
-- writer's row has in the same transaction: whoever appends past the fence is refused here.
CREATE FUNCTION ledger.check_appended() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fault text;
BEGIN
    SELECT format('entries %s to %s do not continue log %s', a.first, a.last, a.log) INTO fault
    FROM (SELECT log, min(index) AS first, max(index) AS last, count(*) AS entries
          FROM added GROUP BY log) AS a
    WHERE a.last - a.first + 1 <> a.entries
        OR a.last + 1 IS DISTINCT FROM (SELECT size FROM ledger.writers w WHERE w.log = a.log)
        OR (a.first > 0 AND NOT EXISTS (
            SELECT FROM ledger.entries e WHERE e.log = a.log AND e.index = a.first - 1))
    LIMIT 1;
    IF fault IS NULL THEN
        SELECT format('entries %s to %s do not continue the chain of %s', a.first, a.last, a.organization) INTO fault
        FROM (SELECT organization, min(seq) AS first, max(seq) AS last, count(*) AS entries
              FROM added GROUP BY organization) AS a
        WHERE a.last - a.first + 1 <> a.entries
            OR (a.first > 0 AND NOT EXISTS (
                SELECT FROM ledger.entries e
                WHERE e.organization = a.organization AND e.seq = a.first - 1))
        LIMIT 1;
    END IF;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION '%', fault
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entries_continue_log';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER check_appended AFTER INSERT ON ledger.entries REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_appended();

CREATE FUNCTION ledger.check_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fault text;
BEGIN
    SELECT format('the %s of %s do not sum to zero', b.currency, b.fund) INTO fault
    FROM ledger.balances b
    JOIN (SELECT DISTINCT organization, fund, currency FROM changed) AS c
        USING (organization, fund, currency)
    GROUP BY b.organization, b.fund, b.currency
    HAVING sum(b.amount) <> 0
    LIMIT 1;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION '%', fault
            USING ERRCODE = 'check_violation', CONSTRAINT = 'balances_sum_to_zero';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER check_inserted AFTER INSERT ON ledger.balances REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_balances();
CREATE TRIGGER check_updated AFTER UPDATE ON ledger.balances REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_balances();

-- A log and its writers' epochs only grow.
CREATE FUNCTION ledger.check_writer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.epoch < OLD.epoch OR NEW.size < OLD.size OR NEW.last_time < OLD.last_time
        OR NEW.next_offset < OLD.next_offset THEN
        RAISE EXCEPTION 'log % cannot go back', OLD.log USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_writer BEFORE UPDATE ON ledger.writers
    FOR EACH ROW EXECUTE FUNCTION ledger.check_writer();

-- A checkpoint is larger than every one before it and of committed entries only. The writer's row is
-- read, not locked: its size only grows.
CREATE FUNCTION ledger.check_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ledger.checkpoints'), NEW.log);
    IF EXISTS (SELECT FROM ledger.checkpoints WHERE log = NEW.log AND size >= NEW.size) THEN
        RAISE EXCEPTION 'a checkpoint of % entries comes too late', NEW.size USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (SELECT FROM ledger.writers
                   WHERE log = NEW.log AND size >= NEW.size AND epoch >= NEW.writer_epoch) THEN
        RAISE EXCEPTION 'a checkpoint of % entries is of more than were recorded', NEW.size
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER check_checkpoint BEFORE INSERT ON ledger.checkpoints
    FOR EACH ROW EXECUTE FUNCTION ledger.check_checkpoint();

GRANT SELECT, UPDATE ON ledger.writers, ledger.announced TO amply_bookkeeping;
GRANT SELECT, INSERT ON ledger.entries, ledger.openings TO amply_bookkeeping;
GRANT SELECT, INSERT, UPDATE ON ledger.chains, ledger.funds, ledger.balances TO amply_bookkeeping;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.waiting TO amply_bookkeeping;
GRANT SELECT ON ledger.writers, ledger.entries TO amply_checkpoints;
GRANT SELECT, INSERT ON ledger.checkpoints, ledger.publications TO amply_checkpoints;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO amply_operations;

-- Tenants. Entries and heads are in the public log; what is not in it has an owner.
DO $$
DECLARE
    tenant text;
BEGIN
    FOREACH tenant IN ARRAY ARRAY['funds', 'balances', 'openings', 'waiting'] LOOP
        EXECUTE format('ALTER TABLE ledger.%I ENABLE ROW LEVEL SECURITY', tenant);
        EXECUTE format('ALTER TABLE ledger.%I FORCE ROW LEVEL SECURITY', tenant);
        EXECUTE format('CREATE POLICY tenant ON ledger.%I USING (organization = ANY (read.organizations_in_scope()))', tenant);
    END LOOP;
    FOR part IN 0..3 LOOP
        EXECUTE format('REVOKE ALL ON ledger.balances_%s, ledger.openings_%s FROM amply_operations', part, part);
    END LOOP;
END
$$;

CREATE VIEW read.entries AS
    SELECT log, index, organization, seq, id, kind, bytes, leaf_hash, subject, recorded_at
    FROM ledger.entries;
CREATE VIEW read.checkpoints AS
    SELECT c.log, c.size, c.root, c.note, p.published_at
    FROM ledger.checkpoints c JOIN ledger.publications p USING (log, size);
GRANT SELECT ON read.entries, read.checkpoints TO
    amply_edge, amply_donations, amply_payouts, amply_notifications, amply_operations;

-- A view reads with its owner's rights, so it repeats the tenant rule.
CREATE VIEW read.openings AS
    SELECT organization, entry_id, section, plain, profile, ciphertext
    FROM ledger.openings WHERE organization = ANY (read.organizations_in_scope());
CREATE VIEW read.balances AS
    SELECT organization, fund, account, currency, amount
    FROM ledger.balances WHERE organization = ANY (read.organizations_in_scope());
GRANT SELECT ON read.openings TO amply_edge, amply_notifications;
GRANT SELECT ON read.balances TO amply_edge, amply_payouts, amply_operations;

-- How long the oldest request has waited for what it refers to.
CREATE VIEW read.waiting_age AS
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(since)), 0)::float8 AS seconds, count(*) AS requests
    FROM ledger.waiting;
GRANT SELECT ON read.waiting_age TO amply_bookkeeping, amply_operations;
