-- Tenants and extensions. Times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE directory (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    -- Grows by one with each change of a tenant or an extension; the changed row remembers it.
    change      INTEGER NOT NULL DEFAULT 0,
    -- Recognises the master key that the secrets below are sealed with; null until the first opening.
    fingerprint BLOB
) STRICT;

INSERT INTO directory (id) VALUES (1);

CREATE TABLE tenants (
    id                      INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Lower case, A-labels; the digest realm too.
    domain                  TEXT    NOT NULL UNIQUE,
    name                    TEXT    NOT NULL,
    enabled                 INTEGER NOT NULL DEFAULT 1,
    auth_name_equals_number INTEGER NOT NULL DEFAULT 0,
    max_extensions          INTEGER,
    max_calls               INTEGER,
    -- How many extensions it has: counting a hundred thousand of them for each new one would take milliseconds.
    extension_count         INTEGER NOT NULL DEFAULT 0,
    created                 INTEGER NOT NULL,
    updated                 INTEGER NOT NULL,
    -- Grows by one with each change of the row, for optimistic locking.
    version                 INTEGER NOT NULL DEFAULT 1,
    change                  INTEGER NOT NULL
) STRICT;

CREATE TABLE tenant_aliases (
    domain    TEXT    PRIMARY KEY,
    tenant_id INTEGER NOT NULL REFERENCES tenants (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX tenant_aliases_by_tenant ON tenant_aliases (tenant_id);

CREATE TABLE tenant_trust (
    tenant_id INTEGER NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    network   TEXT    NOT NULL,
    PRIMARY KEY (tenant_id, network)
) STRICT, WITHOUT ROWID;

CREATE TABLE extensions (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id       INTEGER NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    number          TEXT    NOT NULL,
    auth_name       TEXT    NOT NULL,
    email           TEXT    NOT NULL COLLATE NOCASE,
    display_name    TEXT    NOT NULL,
    first_name      TEXT,
    last_name       TEXT,
    enabled         INTEGER NOT NULL DEFAULT 1,
    -- Under the master key, for this tenant and number: the password, or the hashes taken over from another server.
    sealed_password BLOB,
    sealed_hashes   BLOB,
    created         INTEGER NOT NULL,
    updated         INTEGER NOT NULL,
    version         INTEGER NOT NULL DEFAULT 1,
    change          INTEGER NOT NULL,
    CHECK ((sealed_password IS NULL) <> (sealed_hashes IS NULL))
) STRICT;

CREATE UNIQUE INDEX extensions_by_number ON extensions (tenant_id, number);
CREATE UNIQUE INDEX extensions_by_auth_name ON extensions (tenant_id, auth_name);
CREATE UNIQUE INDEX extensions_by_email ON extensions (tenant_id, email);
CREATE UNIQUE INDEX extensions_by_change ON extensions (change);
