-- Who manages, what lets them in, and what was changed by whom. Times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE accounts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Null: the carrier's own, who sign in without a domain.
    tenant_id   INTEGER REFERENCES tenants (id) ON DELETE CASCADE,
    username    TEXT    NOT NULL COLLATE NOCASE,
    role        TEXT    NOT NULL,
    -- A PHC string (argon2id); null: nobody signs in with a password.
    password    TEXT,
    must_change INTEGER NOT NULL DEFAULT 0,
    enabled     INTEGER NOT NULL DEFAULT 1,
    created     INTEGER NOT NULL,
    updated     INTEGER NOT NULL,
    version     INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE UNIQUE INDEX accounts_by_username ON accounts (coalesce(tenant_id, 0), username);

-- Bearer tokens and API keys: only their SHA-256 is here.
CREATE TABLE tokens (
    hash       BLOB    PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN ('access', 'refresh', 'key')),
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- What a key is called, and the beginning by which people know it again; those of one sign-in have its number.
    name       TEXT    NOT NULL DEFAULT '',
    shown      TEXT    NOT NULL DEFAULT '',
    sign_in    BLOB,
    -- Of a key: whether it may change anything.
    may_write  INTEGER NOT NULL DEFAULT 1,
    created    INTEGER NOT NULL,
    -- Null: never.
    expires    INTEGER,
    -- A refresh token that was used; used again, it was stolen.
    used       INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_by_account ON tokens (account_id);
CREATE INDEX tokens_by_sign_in ON tokens (sign_in) WHERE sign_in IS NOT NULL;
CREATE INDEX tokens_by_expiry ON tokens (expires) WHERE expires IS NOT NULL;

-- Nothing here is ever changed, and no secret stands in it.
CREATE TABLE audit (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL,
    -- Who, as they sign in: they may be gone by now.
    actor     TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    -- The tenant's domain; null: of the whole carrier.
    tenant    TEXT,
    action    TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    -- JSON; null: it was not there, or is not any more.
    before    TEXT,
    after     TEXT
) STRICT;

CREATE INDEX audit_by_tenant ON audit (tenant, id);

-- Extensions that are gone, so that a snapshot that still has them can lose them.
CREATE TABLE removed_extensions (
    tenant_id INTEGER NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    number    TEXT    NOT NULL,
    change    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX removed_extensions_by_change ON removed_extensions (change);
