-- What a table mapping rests on, as it last ran: types, lengths and digests of
-- both schemas and of the configuration. No values.
CREATE TABLE shape (
    table_name TEXT PRIMARY KEY,
    known      TEXT NOT NULL,
    seal       BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Records whose decision a changed mapping may change: read again one by one.
CREATE TABLE remap (
    table_name TEXT NOT NULL,
    record     BLOB NOT NULL CHECK (length(record) = 16),
    PRIMARY KEY (table_name, record)
) STRICT, WITHOUT ROWID;

-- What happened to records: one row per transaction.
CREATE TABLE trace (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us   INTEGER NOT NULL,
    entries BLOB    NOT NULL,
    seal    BLOB    NOT NULL
) STRICT;
