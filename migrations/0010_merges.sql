-- Which contacts were merged into others.

-- One row per contact that Dynamics shows as merged: what it, or its profile,
-- says no to later counts for `master`, too.
CREATE TABLE consent_merge (
    loser  BLOB PRIMARY KEY CHECK (length(loser) = 16),
    master BLOB NOT NULL CHECK (length(master) = 16),
    seal   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX consent_merge_master ON consent_merge (master);
