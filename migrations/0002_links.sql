-- Links between tables: a record waits until its parents are in Campaign.

-- The parents of a record: as last decided (`told` 0), and as Campaign was told
-- before that, while the newer decision waits (`told` 1). `missed`: the record
-- goes without this link, or was given up for it, until the parent comes.
CREATE TABLE link (
    table_name   TEXT    NOT NULL,
    record       BLOB    NOT NULL CHECK (length(record) = 16),
    told         INTEGER NOT NULL CHECK (told IN (0, 1)),
    name         TEXT    NOT NULL,
    parent_table TEXT    NOT NULL,
    parent       BLOB    NOT NULL CHECK (length(parent) = 16),
    missed       INTEGER NOT NULL CHECK (missed IN (0, 1)),
    PRIMARY KEY (table_name, record, told, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX link_parent ON link (parent_table, parent);

-- Records of parent tables that Dynamics has and the filter leaves out.
CREATE TABLE left_out (
    table_name TEXT NOT NULL,
    record     BLOB NOT NULL CHECK (length(record) = 16),
    PRIMARY KEY (table_name, record)
) STRICT, WITHOUT ROWID;

-- A write: parents that Campaign does not hold yet. A deletion: links of
-- undelivered children to the record. Only rows that wait for nothing may go.
ALTER TABLE outbox ADD COLUMN waits INTEGER NOT NULL DEFAULT 0 CHECK (waits >= 0);

DROP INDEX outbox_ready;
CREATE INDEX outbox_ready ON outbox (id) WHERE leased IS NULL AND hold = 'free' AND waits = 0;
CREATE INDEX outbox_waiting ON outbox (table_name, record) WHERE waits > 0;

-- A record may be read again without being a replay, for which fields with
-- `updates = false` are written too.
ALTER TABLE reread ADD COLUMN replay INTEGER NOT NULL DEFAULT 1 CHECK (replay IN (0, 1));
