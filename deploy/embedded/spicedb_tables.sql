-- The tables that SpiceDB v1.54.0 to v1.56.2 (Apache-2.0) keeps in PostgreSQL, at its migration head
-- `populate-schema-tables`: what `spicedb datastore migrate head` leaves behind, as dumped by pg_dump. The
-- library cannot migrate by itself. To renew: migrate an empty database, dump it, compare.

CREATE TABLE alembic_version (
    version_num character varying NOT NULL
);
CREATE TABLE caveat (
    name character varying NOT NULL,
    definition bytea NOT NULL,
    created_transaction bigint,
    deleted_transaction bigint DEFAULT '9223372036854775807'::bigint,
    created_xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    deleted_xid xid8 DEFAULT '9223372036854775807'::xid8 NOT NULL
);
CREATE TABLE metadata (
    unique_id character varying NOT NULL
);
CREATE TABLE namespace_config (
    namespace character varying NOT NULL,
    serialized_config bytea NOT NULL,
    created_xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    deleted_xid xid8 DEFAULT '9223372036854775807'::xid8 NOT NULL
);
CREATE TABLE relation_tuple (
    namespace character varying NOT NULL,
    object_id character varying NOT NULL,
    relation character varying NOT NULL,
    userset_namespace character varying NOT NULL,
    userset_object_id character varying NOT NULL,
    userset_relation character varying NOT NULL,
    caveat_name character varying,
    caveat_context jsonb,
    created_xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    deleted_xid xid8 DEFAULT '9223372036854775807'::xid8 NOT NULL,
    expiration timestamp with time zone
);
CREATE TABLE relation_tuple_transaction (
    "timestamp" timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    snapshot pg_snapshot DEFAULT pg_current_snapshot() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL
);
CREATE TABLE relationship_counter (
    name character varying NOT NULL,
    serialized_filter bytea NOT NULL,
    current_count bigint DEFAULT 0 NOT NULL,
    updated_revision_snapshot pg_snapshot,
    created_xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    deleted_xid xid8 DEFAULT '9223372036854775807'::xid8 NOT NULL
);
CREATE TABLE schema (
    name character varying NOT NULL,
    chunk_index integer NOT NULL,
    chunk_data bytea NOT NULL,
    created_xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    deleted_xid xid8 DEFAULT '9223372036854775807'::xid8 NOT NULL
);
CREATE TABLE schema_revision (
    name character varying DEFAULT 'current'::character varying NOT NULL,
    hash bytea NOT NULL,
    created_xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    deleted_xid xid8 DEFAULT '9223372036854775807'::xid8 NOT NULL
);
ALTER TABLE metadata
    ADD CONSTRAINT metadata_pkey PRIMARY KEY (unique_id);
ALTER TABLE caveat
    ADD CONSTRAINT pk_caveat_v2 PRIMARY KEY (name, deleted_xid);
ALTER TABLE namespace_config
    ADD CONSTRAINT pk_namespace_config PRIMARY KEY (namespace, created_xid, deleted_xid);
ALTER TABLE relation_tuple
    ADD CONSTRAINT pk_relation_tuple PRIMARY KEY (namespace, object_id, relation, userset_namespace, userset_object_id, userset_relation, created_xid, deleted_xid);
ALTER TABLE relationship_counter
    ADD CONSTRAINT pk_relationship_counter PRIMARY KEY (name);
ALTER TABLE relation_tuple_transaction
    ADD CONSTRAINT pk_rttx PRIMARY KEY (xid);
ALTER TABLE schema
    ADD CONSTRAINT pk_schema PRIMARY KEY (name, chunk_index, created_xid);
ALTER TABLE schema_revision
    ADD CONSTRAINT pk_schema_revision PRIMARY KEY (name, created_xid);
ALTER TABLE caveat
    ADD CONSTRAINT uq_caveat_v2 UNIQUE (name, created_xid, deleted_xid);
ALTER TABLE namespace_config
    ADD CONSTRAINT uq_namespace_living_xid UNIQUE (namespace, deleted_xid);
ALTER TABLE relation_tuple
    ADD CONSTRAINT uq_relation_tuple_living_xid UNIQUE (namespace, object_id, relation, userset_namespace, userset_object_id, userset_relation, deleted_xid);
ALTER TABLE relationship_counter
    ADD CONSTRAINT uq_relationship_counter_living UNIQUE (name, deleted_xid);
CREATE INDEX ix_gc_index ON relation_tuple USING btree (deleted_xid DESC) WHERE (deleted_xid < '9223372036854775807'::xid8);
CREATE INDEX ix_relation_tuple_alive_by_resource_rel_subject_covering ON relation_tuple USING btree (namespace, relation, userset_namespace) INCLUDE (userset_object_id, userset_relation, caveat_name, caveat_context) WHERE (deleted_xid = '9223372036854775807'::xid8);
CREATE INDEX ix_relation_tuple_by_subject ON relation_tuple USING btree (userset_object_id, userset_namespace, userset_relation, namespace, relation);
CREATE INDEX ix_relation_tuple_by_subject_relation ON relation_tuple USING btree (userset_namespace, userset_relation, namespace, relation);
CREATE INDEX ix_relation_tuple_expired ON relation_tuple USING btree (expiration) WHERE (expiration IS NOT NULL);
CREATE INDEX ix_relation_tuple_transaction_by_timestamp ON relation_tuple_transaction USING btree ("timestamp");
CREATE INDEX ix_relation_tuple_transaction_xid_desc_timestamp ON relation_tuple_transaction USING btree (xid DESC, "timestamp");
CREATE INDEX ix_schema_gc ON schema USING btree (deleted_xid DESC) WHERE (deleted_xid < '9223372036854775807'::xid8);
CREATE INDEX ix_schema_revision_gc ON schema_revision USING btree (deleted_xid DESC) WHERE (deleted_xid < '9223372036854775807'::xid8);
CREATE INDEX ix_watch_api_index ON relation_tuple USING btree (created_xid);

INSERT INTO relation_tuple_transaction ("timestamp", xid, snapshot)
    VALUES ('1970-01-01 00:00:00', '1'::xid8, '1:1:'::pg_snapshot);
INSERT INTO metadata (unique_id) VALUES (gen_random_uuid()::text);
INSERT INTO alembic_version (version_num) VALUES ('populate-schema-tables');
