-- Whoever signs the log also signs the heads of the audit chains (workers/checkpoints/anchoring.py), after
-- hashing again what was chained since. The signed heads lie in a file, where no right in here reaches.
GRANT USAGE ON SCHEMA audit TO amply_checkpoints;
GRANT SELECT ON audit.chains, audit.records TO amply_checkpoints;
