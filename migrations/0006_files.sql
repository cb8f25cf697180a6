-- Files of Campaign's SFTP server: which were seen, how far each is taken.

-- `size` and `changed_s` (the server's clock) as last seen, `still_us` since
-- when (ours) they are so. `digest` is of the unpacked content; of a refused
-- file, of the rules by which. `reason`: why it was refused.
CREATE TABLE file (
    flow       TEXT    NOT NULL CHECK (flow IN ('egress', 'optout')),
    name       TEXT    NOT NULL,
    size       INTEGER NOT NULL CHECK (size >= 0),
    changed_s  INTEGER NOT NULL,
    still_us   INTEGER NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('seen', 'taking', 'done', 'refused')),
    rows       INTEGER NOT NULL CHECK (rows >= 0),
    digest     BLOB CHECK (digest IS NULL OR length(digest) = 32),
    reason     TEXT,
    updated_us INTEGER NOT NULL,
    seal       BLOB    NOT NULL,
    PRIMARY KEY (flow, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX file_digest ON file (flow, digest) WHERE digest IS NOT NULL;
