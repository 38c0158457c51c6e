-- Roles, schemas, and the tables that move messages: inbox, outbox, dead letters, parked messages.
--
-- One schema and one role per owner; only the owner writes its schema, others read through views in
-- schema "read". Roles belong to the cluster: another database may have made them, or be making them.
--
-- In all migrations, the keys of tenant tables start with what tells rows apart and end with the
-- organization: with the organization first, a planner without statistics reads all rows of a large
-- organization to find one.

DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY[
        'amply_edge', 'amply_relay', 'amply_donations', 'amply_payments', 'amply_fees',
        'amply_bookkeeping', 'amply_checkpoints', 'amply_payouts', 'amply_notifications',
        'amply_permissions', 'amply_operations'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            -- The ledger's writer and its checker copy rows in bulk, which row-level security does
            -- not allow; their grants name ledger tables only.
            EXECUTE format('CREATE ROLE %I NOLOGIN %s', role_name,
                CASE WHEN role_name IN ('amply_bookkeeping', 'amply_checkpoints')
                    THEN 'BYPASSRLS' ELSE '' END);
        END IF;
    END LOOP;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        RAISE 'another database of this cluster is making the same roles, migrate again'
            USING ERRCODE = 'serialization_failure';
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA read;
GRANT USAGE ON SCHEMA read TO
    amply_edge, amply_relay, amply_donations, amply_payments, amply_fees, amply_bookkeeping,
    amply_checkpoints, amply_payouts, amply_notifications, amply_permissions, amply_operations;

CREATE SCHEMA messages;
GRANT USAGE ON SCHEMA messages TO
    amply_edge, amply_relay, amply_donations, amply_payments, amply_fees, amply_bookkeeping,
    amply_checkpoints, amply_payouts, amply_notifications, amply_permissions, amply_operations;

-- The organizations that the current transaction may see; none when it named none.
CREATE FUNCTION read.organizations_in_scope() RETURNS text[]
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN string_to_array(nullif(current_setting('app.organizations', true), ''), ',');

CREATE TABLE messages.outbox (
    position  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic     text        NOT NULL,
    partition integer     CHECK (partition >= 0),
    key       bytea       NOT NULL,
    headers   text        NOT NULL,
    value     bytea       NOT NULL CHECK (octet_length(value) <= 900000),
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

GRANT INSERT ON messages.outbox TO
    amply_edge, amply_donations, amply_payments, amply_fees, amply_bookkeeping,
    amply_checkpoints, amply_payouts, amply_notifications, amply_permissions, amply_operations;
GRANT SELECT, DELETE ON messages.outbox TO amply_relay;
GRANT SELECT ON messages.outbox TO amply_operations;

-- How long the oldest message has waited: the edge answers 503 past a bound.
CREATE VIEW read.outbox_age AS
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(queued_at)), 0)::float8 AS seconds
    FROM (SELECT queued_at FROM messages.outbox ORDER BY position LIMIT 1) AS oldest;
GRANT SELECT ON read.outbox_age TO amply_edge, amply_relay, amply_operations;

-- Partitioned by day on the id, which starts with a time in milliseconds: old days are dropped whole.
CREATE TABLE messages.inbox (
    id     uuid NOT NULL,
    worker text NOT NULL,
    PRIMARY KEY (id, worker)
) PARTITION BY RANGE (id);
CREATE TABLE messages.inbox_other PARTITION OF messages.inbox DEFAULT;

GRANT SELECT, INSERT ON messages.inbox TO
    amply_donations, amply_payments, amply_fees, amply_payouts, amply_notifications,
    amply_permissions;
GRANT SELECT ON messages.inbox TO amply_operations;

CREATE FUNCTION messages.first_id_of(day date) RETURNS uuid
    LANGUAGE sql IMMUTABLE
    RETURN (lpad(to_hex((extract(epoch FROM day) * 1000)::bigint), 12, '0')
        || repeat('0', 20))::uuid;

-- Creates the partitions of the next days and drops those past retention. A day whose ids already
-- lie in the default partition stays there.
CREATE FUNCTION messages.tend_inbox(today date, days_ahead integer, days_kept integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    day date;
    name text;
BEGIN
    FOR day IN SELECT generate_series(today - 1, today + days_ahead, interval '1 day')::date LOOP
        name := 'inbox_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('messages.' || name) IS NOT NULL;
        CONTINUE WHEN EXISTS (
            SELECT FROM messages.inbox_other
            WHERE id >= messages.first_id_of(day) AND id < messages.first_id_of(day + 1));
        EXECUTE format('CREATE TABLE messages.%I PARTITION OF messages.inbox FOR VALUES FROM (%L) TO (%L)',
            name, messages.first_id_of(day), messages.first_id_of(day + 1));
    END LOOP;
    FOR name IN
        SELECT relname FROM pg_class WHERE relnamespace = 'messages'::regnamespace
            AND relname ~ '^inbox_[0-9]{8}$'
            AND to_date(substr(relname, 7), 'YYYYMMDD') < today - days_kept
    LOOP
        EXECUTE format('DROP TABLE messages.%I', name);
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION messages.tend_inbox FROM PUBLIC;
GRANT EXECUTE ON FUNCTION messages.tend_inbox TO amply_relay;
SELECT messages.tend_inbox(current_date, 7, 97);

-- Messages set aside, with what is needed to handle them again. "parked": the worker tries again by
-- itself, in order, and later messages of the key wait behind it. "dead": a person decides.
CREATE TABLE messages.set_aside (
    position        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    worker          text        NOT NULL,
    disposition     text        NOT NULL CHECK (disposition IN ('parked', 'dead')),
    topic           text        NOT NULL,
    kafka_partition integer     NOT NULL,
    kafka_offset    bigint      NOT NULL,
    message_id      uuid,
    organization    text,
    key             bytea       NOT NULL,
    headers         text        NOT NULL,
    value           bytea,
    code            text        NOT NULL,
    reason          text        NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    set_aside_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((disposition = 'parked') = (next_attempt_at IS NOT NULL)),
    CONSTRAINT set_aside_once UNIQUE (worker, topic, kafka_partition, kafka_offset)
);
CREATE INDEX set_aside_by_key ON messages.set_aside (worker, topic, key, position)
    WHERE disposition = 'parked';

GRANT SELECT, INSERT, UPDATE, DELETE ON messages.set_aside TO
    amply_donations, amply_payments, amply_fees, amply_bookkeeping, amply_payouts,
    amply_notifications, amply_permissions, amply_operations;
