-- How many requests each system was sent, by UTC day (days since 1970-01-01).
-- Written ahead where there is a budget: never less than what was sent, but
-- for the requests of a process that died without one.
CREATE TABLE calls (
    system TEXT    NOT NULL CHECK (system IN ('dynamics', 'campaign', 'journal')),
    day    INTEGER NOT NULL,
    count  INTEGER NOT NULL CHECK (count >= 0),
    PRIMARY KEY (system, day)
) STRICT, WITHOUT ROWID;
