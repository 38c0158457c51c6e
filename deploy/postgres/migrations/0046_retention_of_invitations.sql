-- Invitations that are over are deleted when due.
GRANT SELECT, DELETE ON edge.invitations TO amply_retention;
CREATE INDEX invitations_by_end ON edge.invitations (expires_at);
