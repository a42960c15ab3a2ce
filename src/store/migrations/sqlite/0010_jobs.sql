-- Work that takes longer than a request, what came of it, and what takes it back. Times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE jobs (
    -- Grows with time, so that the order of ids is that of the jobs.
    id            TEXT    PRIMARY KEY,
    tenant_id     INTEGER NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    kind          TEXT    NOT NULL CHECK (kind IN ('import', 'undo')),
    state         TEXT    NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
    -- Who, as they sign in, and from where: they may be gone by now.
    actor         TEXT    NOT NULL,
    source        TEXT    NOT NULL,
    mode          TEXT    NOT NULL DEFAULT 'create',
    keeps_good    INTEGER NOT NULL DEFAULT 0,
    is_dry_run    INTEGER NOT NULL DEFAULT 0,
    made          INTEGER NOT NULL,
    started       INTEGER,
    ended         INTEGER,
    rows          INTEGER NOT NULL DEFAULT 0,
    created       INTEGER NOT NULL DEFAULT 0,
    changed       INTEGER NOT NULL DEFAULT 0,
    unchanged     INTEGER NOT NULL DEFAULT 0,
    skipped       INTEGER NOT NULL DEFAULT 0,
    removed       INTEGER NOT NULL DEFAULT 0,
    faults        INTEGER NOT NULL DEFAULT 0,
    is_applied    INTEGER NOT NULL DEFAULT 0,
    -- Why it failed, when that was no fault of its file.
    reason_code   TEXT,
    reason        TEXT,
    -- Until when the passwords that it drew are told, once; null: they were, or there are none.
    secrets_until INTEGER,
    -- Whether the table below has what takes it back.
    has_images    INTEGER NOT NULL DEFAULT 0,
    -- The job that this one takes back, and the one that has taken this one back.
    undoes        TEXT,
    undone_by     TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX jobs_by_tenant ON jobs (tenant_id, id);
-- What is looked for among all of them: few are any of these.
CREATE INDEX jobs_under_way ON jobs (id) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_with_secrets ON jobs (secrets_until) WHERE secrets_until IS NOT NULL;
CREATE INDEX jobs_with_images ON jobs (ended) WHERE has_images;

-- What was wrong with the file, at most a thousand faults and a thousand warnings.
CREATE TABLE job_faults (
    job_id     TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    is_warning INTEGER NOT NULL,
    place      INTEGER NOT NULL,
    line       INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    message    TEXT    NOT NULL,
    PRIMARY KEY (job_id, is_warning, place)
) STRICT, WITHOUT ROWID;

-- The extensions that a job has made or changed, in its order.
CREATE TABLE job_changes (
    job_id       TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    place        INTEGER NOT NULL,
    number       TEXT    NOT NULL,
    extension_id INTEGER NOT NULL,
    -- The version that the job has left: with another one it was changed since.
    version      INTEGER NOT NULL,
    -- The row as it was, in JSON, a BLOB as an array with its hexadecimal digits: its secrets are as sealed as in the row. Null: the job has made it.
    image        TEXT,
    -- The sealed password that the job has drawn, until it was told.
    drawn        BLOB,
    PRIMARY KEY (job_id, place)
) STRICT, WITHOUT ROWID;

-- Earlier jobs of an extension, when a later one is taken back.
CREATE INDEX job_changes_by_extension ON job_changes (extension_id);
