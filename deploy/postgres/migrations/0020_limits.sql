-- What is counted against card testing. Unlogged: it may be lost, since it is about the last hour only,
-- and so it is in no backup of the write-ahead log.

-- Declines by card: a keyed hash of Stripe's fingerprint (HMAC-SHA256 under a key outside the database),
-- over all organizations, kept for an hour.
CREATE UNLOGGED TABLE payments.card_declines (
    charge      text        PRIMARY KEY,
    card        bytea       NOT NULL CHECK (octet_length(card) = 32),
    declined_at timestamptz NOT NULL
);
CREATE INDEX card_declines_by_time ON payments.card_declines (declined_at);
GRANT SELECT, INSERT, DELETE ON payments.card_declines TO amply_payments;

-- How often what was asked for: "subject" is a keyed hash (of an address, for instance), "slot" numbers
-- sixths of the rule's window, "hits" are those granted in it and in the six before, "granted" what the
-- newest statement got of them. No organization's data; rows are deleted a minute after they expire.
CREATE UNLOGGED TABLE edge.hits (
    rule       text        NOT NULL,
    subject    bytea       NOT NULL CHECK (octet_length(subject) = 32),
    slot       bigint      NOT NULL,
    hits       integer[]   NOT NULL CHECK (cardinality(hits) = 7),
    granted    integer     NOT NULL,
    most       integer     NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (rule, subject)
) WITH (fillfactor = 50);
CREATE INDEX hits_expired ON edge.hits (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON edge.hits TO amply_edge;
