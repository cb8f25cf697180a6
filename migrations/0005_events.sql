-- E-mail events on their way to Dynamics, and where their sources stand.

-- Events that are not activities yet. `content` is personal data. `stage`:
-- 'new', or 'made' where the activity exists and is still to be completed.
-- `waits`: Dynamics does not have the contact (yet); since `created_us`, last
-- tried at `tried_us`. Of rows that may go, the oldest go first.
CREATE TABLE event (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    activity   BLOB    NOT NULL UNIQUE CHECK (length(activity) = 16),
    kind       TEXT    NOT NULL CHECK (kind IN ('send', 'open', 'click', 'bounce')),
    content    TEXT    NOT NULL,
    stage      TEXT    NOT NULL CHECK (stage IN ('new', 'made')),
    waits      INTEGER NOT NULL CHECK (waits IN (0, 1)),
    leased     INTEGER NOT NULL CHECK (leased IN (0, 1) AND leased + waits < 2),
    attempts   INTEGER NOT NULL CHECK (attempts >= 0),
    created_us INTEGER NOT NULL,
    tried_us   INTEGER NOT NULL,
    seal       BLOB    NOT NULL
) STRICT;

CREATE INDEX event_ready ON event (kind, id) WHERE leased = 0 AND waits = 0;
CREATE INDEX event_waiting ON event (kind, id) WHERE waits = 1;

-- Activities that were made, so that an event that is told again costs no
-- request and one that was deleted in Dynamics does not come back.
CREATE TABLE event_known (
    activity BLOB PRIMARY KEY CHECK (length(activity) = 16),
    at_us    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX event_known_age ON event_known (at_us);

-- The position in the journal. `next` is a path with query, `last` the
-- position of the last event, `told_us` its time.
CREATE TABLE journal (
    source     TEXT PRIMARY KEY,
    next       TEXT,
    last       TEXT,
    told_us    INTEGER,
    updated_us INTEGER NOT NULL,
    seal       BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- Times whose events the journal lost: position expired before it was read.
CREATE TABLE gap (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    source   TEXT    NOT NULL,
    from_us  INTEGER,
    to_us    INTEGER,
    found_us INTEGER NOT NULL,
    state    TEXT    NOT NULL CHECK (state IN ('open', 'filled'))
) STRICT;

-- A dead letter that is an e-mail event, or something that no rule recognises:
-- what is needed to try again. `again`: a person asked for that, the dead
-- letter itself is gone, and the next pass looks at the content anew.
CREATE TABLE event_letter (
    letter   BLOB    PRIMARY KEY CHECK (length(letter) = 16),
    source   TEXT    NOT NULL CHECK (source IN ('journal', 'delivery_log', 'tracking_log', 'event')),
    content  TEXT    NOT NULL,
    again    INTEGER NOT NULL CHECK (again IN (0, 1)),
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX event_letter_again ON event_letter (letter) WHERE again = 1;
