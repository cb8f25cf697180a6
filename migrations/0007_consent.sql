-- The opt-out ledger, and what it rests on.

-- One row per contact and flag of which anything was ever said; a flag without
-- a row is off on both sides and was never touched. `dynamics`, `campaign` and
-- `stamp_us` are as last seen: hints, read again before anything is written.
-- `told_by` says where the last hint came from. The `agreed_` columns are both
-- sides at the last agreement, the `own_` columns what our last write left in
-- Campaign. 'due': the sides may differ. 'clearing': an opt-out would be lifted
-- and waits for the others of its run; 'held': too many would be; 'approved':
-- a person let them go. `merged`: a contact that was merged into this one had
-- said no; both sides are to say so. Times are microseconds, each in its system's clock.
CREATE TABLE consent (
    contact         BLOB    NOT NULL CHECK (length(contact) = 16),
    flag            TEXT    NOT NULL,
    dynamics        INTEGER NOT NULL CHECK (dynamics IN (0, 1)),
    campaign        INTEGER NOT NULL CHECK (campaign IN (0, 1)),
    stamp_us        INTEGER,
    told_by         TEXT    NOT NULL,
    agreed_dynamics INTEGER CHECK (agreed_dynamics IN (0, 1)),
    agreed_campaign INTEGER CHECK (agreed_campaign IN (0, 1)),
    agreed_stamp_us INTEGER,
    own_campaign    INTEGER CHECK (own_campaign IN (0, 1)),
    own_stamp_us    INTEGER,
    merged          INTEGER NOT NULL CHECK (merged IN (0, 1)),
    state           TEXT    NOT NULL
                    CHECK (state IN ('settled', 'due', 'clearing', 'held', 'approved')),
    attempts        INTEGER NOT NULL CHECK (attempts >= 0),
    updated_us      INTEGER NOT NULL,
    seal            BLOB    NOT NULL,
    CHECK ((agreed_dynamics IS NULL) = (agreed_campaign IS NULL)),
    PRIMARY KEY (contact, flag)
) STRICT, WITHOUT ROWID;

CREATE INDEX consent_open ON consent (state, contact) WHERE state <> 'settled';

-- What our last write to a contact in Dynamics produced, and the time that
-- counted before it. Of the whole record, as its time is.
CREATE TABLE consent_own (
    contact BLOB    PRIMARY KEY CHECK (length(contact) = 16),
    version INTEGER NOT NULL,
    user_us INTEGER,
    seal    BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- Every decision that changed something, or refused to lift an opt-out, with
-- all it rested on. A lifting is here before it is sent: `outcome` 'intended'.
CREATE TABLE consent_decision (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    contact     BLOB    NOT NULL CHECK (length(contact) = 16),
    flag        TEXT    NOT NULL,
    at_us       INTEGER NOT NULL,
    dynamics    INTEGER NOT NULL CHECK (dynamics IN (0, 1)),
    campaign    INTEGER NOT NULL CHECK (campaign IN (0, 1)),
    modified_us INTEGER,
    version     INTEGER,
    stamp_us    INTEGER,
    result      INTEGER NOT NULL CHECK (result IN (0, 1)),
    reason      TEXT    NOT NULL,
    lead_us     INTEGER,
    offset_us   INTEGER,
    spread_us   INTEGER,
    documented  INTEGER CHECK (documented IN (0, 1)),
    told_by     TEXT    NOT NULL,
    request_ids TEXT    NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('intended', 'done', 'dropped', 'kept')),
    seal        BLOB    NOT NULL
) STRICT;

CREATE INDEX consent_decision_contact ON consent_decision (contact, flag, id);

-- Where the readings stand: 'listing', 'dynamics', 'rest', and the digest of
-- the configuration they belong to ('epoch').
CREATE TABLE consent_cursor (
    source     TEXT PRIMARY KEY,
    position   TEXT    NOT NULL,
    updated_us INTEGER NOT NULL,
    seal       BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- Stamps of both systems set against our clock; `own`: of a write of ours,
-- otherwise the `Date` of an answer. The newest are kept.
CREATE TABLE clock_sample (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    system      TEXT    NOT NULL CHECK (system IN ('dynamics', 'campaign')),
    own         INTEGER NOT NULL CHECK (own IN (0, 1)),
    stamp_us    INTEGER NOT NULL,
    sent_us     INTEGER NOT NULL,
    received_us INTEGER NOT NULL,
    millis      INTEGER NOT NULL CHECK (millis IN (0, 1))
) STRICT;

CREATE INDEX clock_sample_newest ON clock_sample (system, own, id);
