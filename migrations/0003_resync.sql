-- Replays, comparisons and repairs that were asked for, with how far each is.
CREATE TABLE resync (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    table_name TEXT    NOT NULL,
    purpose    TEXT    NOT NULL CHECK (purpose IN ('replay', 'verify', 'repair', 'reconcile')),
    scope      TEXT    NOT NULL,
    position   TEXT    NOT NULL,
    done       INTEGER NOT NULL CHECK (done >= 0),
    total      INTEGER CHECK (total >= 0),
    created_us INTEGER NOT NULL,
    seal       BLOB    NOT NULL,
    UNIQUE (table_name, purpose, scope)
) STRICT;

-- Records that a resync is to look at one by one.
CREATE TABLE resync_record (
    resync INTEGER NOT NULL REFERENCES resync (id) ON DELETE CASCADE,
    record BLOB    NOT NULL CHECK (length(record) = 16),
    PRIMARY KEY (resync, record)
) STRICT, WITHOUT ROWID;

-- What Campaign's listing showed to a comparison: fingerprints, never values.
CREATE TABLE resync_listed (
    resync       INTEGER NOT NULL REFERENCES resync (id) ON DELETE CASCADE,
    key_hash     BLOB    NOT NULL,
    record       BLOB CHECK (record IS NULL OR length(record) = 16),
    layout       INTEGER NOT NULL REFERENCES layout (id),
    fingerprints BLOB    NOT NULL,
    copies       INTEGER NOT NULL CHECK (copies > 0),
    matched      INTEGER NOT NULL CHECK (matched IN (0, 1)),
    PRIMARY KEY (resync, key_hash)
) STRICT, WITHOUT ROWID;
