-- What a tenant has set for its people, second factors, tenants that are gone, and requests that were answered. Times are
-- milliseconds since 1970-01-01T00:00:00Z.

-- JSON: what no call is judged by. A member that is missing has its default.
ALTER TABLE tenants ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
-- Under the master key, for this tenant.
ALTER TABLE tenants ADD COLUMN smtp_password BLOB;
-- Whether whoever signs in needs a second factor.
ALTER TABLE tenants ADD COLUMN require_totp INTEGER NOT NULL DEFAULT 0;

-- Under the master key, for this account: what codes are made of. It is there before it is asked for.
ALTER TABLE accounts ADD COLUMN totp_secret BLOB;
ALTER TABLE accounts ADD COLUMN has_totp INTEGER NOT NULL DEFAULT 0;
-- The last step of thirty seconds whose code was used.
ALTER TABLE accounts ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;

-- For who has lost what makes the codes; each is good once. Only their SHA-256 is here: they are drawn, of 80 bits.
CREATE TABLE recovery_codes (
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    hash       BLOB    NOT NULL,
    PRIMARY KEY (account_id, hash)
) STRICT, WITHOUT ROWID;

-- The tenant that a system admin has entered with this token, as its Admin.
ALTER TABLE tokens ADD COLUMN tenant_id INTEGER REFERENCES tenants (id) ON DELETE CASCADE;

CREATE INDEX tokens_by_tenant ON tokens (tenant_id) WHERE tenant_id IS NOT NULL;

-- Tenants that are gone, so that a snapshot that still has them can lose them.
CREATE TABLE removed_tenants (
    tenant_id INTEGER PRIMARY KEY,
    change    INTEGER NOT NULL
) STRICT;

CREATE INDEX removed_tenants_by_change ON removed_tenants (change);

-- Requests with an Idempotency-Key, for a day.
CREATE TABLE answers (
    account_id  INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    key         TEXT    NOT NULL,
    -- SHA-256 of what was asked.
    fingerprint BLOB    NOT NULL,
    at          INTEGER NOT NULL,
    -- Null while it is being done, and when the process died meanwhile.
    status      INTEGER,
    -- Under the master key, for a secret may stand in it; null: too long to be kept.
    answer      BLOB,
    PRIMARY KEY (account_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX answers_by_time ON answers (account_id, at);

CREATE INDEX audit_by_time ON audit (at);
