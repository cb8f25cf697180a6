-- Which contacts have the same e-mail address.

-- One row per contact that has one. `print` is a keyed fingerprint of the
-- address, never the address; useless without this store's key. `seen` names
-- the full read that saw the contact last, 0 where a change told of it.
-- `gone_us`: the contact was deleted, and had said no; otherwise its row goes
-- with it. No seal: a flipped bit hides a match, and makes none.
CREATE TABLE consent_address (
    contact BLOB    PRIMARY KEY CHECK (length(contact) = 16),
    print   BLOB    NOT NULL CHECK (length(print) = 8),
    seen    INTEGER NOT NULL,
    gone_us INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX consent_address_print ON consent_address (print, gone_us);
CREATE INDEX consent_address_gone ON consent_address (gone_us) WHERE gone_us IS NOT NULL;
