-- What an extension has beside names and secrets, and a tenant's documents: trunks, rules, services, rates, roles.

-- JSON of what differs from how it is anyway; null: nothing does.
ALTER TABLE extensions ADD COLUMN settings TEXT;
-- A keyed hash of the PIN of its voicemail box; null: it has none yet.
ALTER TABLE extensions ADD COLUMN pin BLOB;

-- Whose desk phone this is: a MAC address is one extension's anywhere. It follows the settings by itself.
CREATE TABLE phones (
    mac       TEXT    PRIMARY KEY,
    tenant_id INTEGER NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    number    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX phones_by_extension ON phones (tenant_id, number);

CREATE TRIGGER phones_of_a_new_extension AFTER INSERT ON extensions WHEN new.settings IS NOT NULL BEGIN
    INSERT INTO phones (mac, tenant_id, number)
        SELECT value ->> '$.mac', new.tenant_id, new.number FROM json_each(new.settings, '$.phones');
END;

CREATE TRIGGER phones_of_a_changed_extension AFTER UPDATE OF settings ON extensions WHEN new.settings IS NOT old.settings BEGIN
    DELETE FROM phones WHERE tenant_id = old.tenant_id AND number = old.number;
    INSERT INTO phones (mac, tenant_id, number)
        SELECT value ->> '$.mac', new.tenant_id, new.number FROM json_each(coalesce(new.settings, '{}'), '$.phones');
END;

CREATE TRIGGER phones_of_a_removed_extension AFTER DELETE ON extensions WHEN old.settings IS NOT NULL BEGIN
    DELETE FROM phones WHERE tenant_id = old.tenant_id AND number = old.number;
END;

CREATE TABLE resources (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Null: the carrier's.
    tenant_id INTEGER REFERENCES tenants (id) ON DELETE CASCADE,
    kind      TEXT    NOT NULL,
    -- What it is known by; case does not count.
    key       TEXT    NOT NULL COLLATE NOCASE,
    -- What it is dialled by.
    number    TEXT,
    document  TEXT    NOT NULL,
    -- Members that are never shown, as JSON under the master key.
    sealed    BLOB,
    created   INTEGER NOT NULL,
    updated   INTEGER NOT NULL,
    version   INTEGER NOT NULL DEFAULT 1,
    change    INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX resources_by_key ON resources (coalesce(tenant_id, 0), kind, key);
CREATE UNIQUE INDEX resources_by_number ON resources (tenant_id, number) WHERE number IS NOT NULL;

-- Which others a document needs.
CREATE TABLE needs (
    resource_id INTEGER NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    kind        TEXT    NOT NULL,
    key         TEXT    NOT NULL COLLATE NOCASE
) STRICT;

CREATE INDEX needs_by_resource ON needs (resource_id);
CREATE INDEX needs_by_key ON needs (kind, key);
