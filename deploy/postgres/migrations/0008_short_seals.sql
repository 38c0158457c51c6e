-- Seals are random: in a large log, every append reads and writes a page of their index. The shorter its
-- keys, the more of it stays in memory. Twelve bytes of SHA-256 tell seals apart: that any two of a
-- thousand million share them has a chance below one in 10^11, and such an entry would be refused.

DROP INDEX ledger.entries_donor_seal;
CREATE UNIQUE INDEX entries_donor_seal ON ledger.entries (substring(donor_seal FOR 12))
    WHERE donor_seal IS NOT NULL;
