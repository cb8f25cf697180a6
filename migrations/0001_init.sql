-- The store of cdsync, first version.
-- Times are microseconds since 1970-01-01 UTC. `seal` is a keyed checksum of
-- the row's other columns, verified whenever the row is read.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The position of one table mapping in its source, with what stands behind it.
CREATE TABLE checkpoint (
    table_name TEXT PRIMARY KEY,
    position   TEXT    NOT NULL,
    generation INTEGER NOT NULL CHECK (generation >= 0),
    mapping    TEXT    NOT NULL,
    updated_us INTEGER NOT NULL,
    seal       BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- Which target fields the fingerprints of a mirror row stand for, in order.
CREATE TABLE layout (
    id     INTEGER PRIMARY KEY,
    fields TEXT NOT NULL UNIQUE
) STRICT;

-- What Campaign was last told of a record: fingerprints, never values.
CREATE TABLE mirror (
    table_name   TEXT    NOT NULL,
    record       BLOB    NOT NULL CHECK (length(record) = 16),
    target_key   TEXT,
    state        TEXT    NOT NULL CHECK (state IN ('present', 'gone')),
    layout       INTEGER NOT NULL REFERENCES layout (id),
    fingerprints BLOB    NOT NULL CHECK (length(fingerprints) % 8 = 0),
    version      INTEGER,
    seen         INTEGER NOT NULL,
    seal         BLOB    NOT NULL,
    PRIMARY KEY (table_name, record)
) STRICT, WITHOUT ROWID;

-- What a listing of Campaign showed before the first load of a table.
CREATE TABLE inventory (
    table_name   TEXT    NOT NULL,
    key_hash     BLOB    NOT NULL,
    layout       INTEGER NOT NULL REFERENCES layout (id),
    fingerprints BLOB    NOT NULL,
    copies       INTEGER NOT NULL CHECK (copies > 0),
    PRIMARY KEY (table_name, key_hash)
) STRICT, WITHOUT ROWID;

-- Ids of the rows that Dynamics has, read at the end of a long full read.
CREATE TABLE presence (
    table_name TEXT NOT NULL,
    record     BLOB NOT NULL CHECK (length(record) = 16),
    PRIMARY KEY (table_name, record)
) STRICT, WITHOUT ROWID;

-- Writes decided but not yet acknowledged: one row per target record.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY,
    flow       TEXT    NOT NULL CHECK (flow IN ('ingress', 'egress', 'optout')),
    table_name TEXT    NOT NULL,
    record     BLOB    NOT NULL CHECK (length(record) = 16),
    action     TEXT    NOT NULL CHECK (action IN ('write', 'delete')),
    target_key TEXT,
    payload    TEXT    NOT NULL,
    version    INTEGER,
    seen       INTEGER NOT NULL,
    revision   INTEGER NOT NULL CHECK (revision > 0),
    leased     INTEGER CHECK (leased IS NULL OR leased <= revision),
    uncertain  INTEGER NOT NULL CHECK (uncertain IN (0, 1)),
    hold       TEXT    NOT NULL CHECK (hold IN ('free', 'held', 'approved')),
    attempts   INTEGER NOT NULL CHECK (attempts >= 0),
    created_us INTEGER NOT NULL,
    seal       BLOB    NOT NULL,
    UNIQUE (flow, table_name, record)
) STRICT;

-- Keys that are not simply record ids: whose are they?
CREATE INDEX mirror_key ON mirror (table_name, target_key) WHERE target_key IS NOT NULL;
CREATE INDEX outbox_key ON outbox (table_name, target_key) WHERE target_key IS NOT NULL;

CREATE INDEX outbox_ready ON outbox (id) WHERE leased IS NULL AND hold = 'free';
CREATE INDEX outbox_held ON outbox (table_name) WHERE hold <> 'free';

-- Outbox rows that were given up, with the reason and the way back.
CREATE TABLE dead_letter (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    flow       TEXT    NOT NULL CHECK (flow IN ('ingress', 'egress', 'optout')),
    table_name TEXT    NOT NULL,
    record     BLOB    NOT NULL CHECK (length(record) = 16),
    action     TEXT    NOT NULL CHECK (action IN ('write', 'delete', 'map')),
    payload    TEXT    NOT NULL,
    version    INTEGER,
    seen       INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    status     INTEGER,
    request_id TEXT,
    attempts   INTEGER NOT NULL CHECK (attempts >= 0),
    uncertain  INTEGER NOT NULL CHECK (uncertain IN (0, 1)),
    created_us INTEGER NOT NULL,
    seal       BLOB    NOT NULL,
    UNIQUE (flow, table_name, record)
) STRICT;

-- Records to be read again one by one, whatever the change feed says.
CREATE TABLE reread (
    table_name TEXT NOT NULL,
    record     BLOB NOT NULL CHECK (length(record) = 16),
    PRIMARY KEY (table_name, record)
) STRICT, WITHOUT ROWID;

-- One row per run of a flow.
CREATE TABLE run (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    flow        TEXT    NOT NULL CHECK (flow IN ('ingress', 'egress', 'optout')),
    started_us  INTEGER NOT NULL,
    finished_us INTEGER,
    outcome     TEXT CHECK (outcome IN ('ok', 'incomplete', 'failed')),
    counts      TEXT    NOT NULL
) STRICT;

CREATE INDEX run_flow ON run (flow, id);
