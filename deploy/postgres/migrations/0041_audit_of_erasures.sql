-- An erasure leaves a row of its own in the audit log, whoever carries it out.
GRANT INSERT ON audit.pending TO amply_retention;
