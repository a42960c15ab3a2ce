-- How many devices of an extension may be registered at once, and what becomes of one too many.

ALTER TABLE tenants ADD COLUMN when_full TEXT NOT NULL DEFAULT 'reject' CHECK (when_full IN ('reject', 'replace_oldest'));
ALTER TABLE extensions ADD COLUMN max_phones INTEGER NOT NULL DEFAULT 3 CHECK (max_phones BETWEEN 1 AND 10);
ALTER TABLE extensions ADD COLUMN max_apps INTEGER NOT NULL DEFAULT 5 CHECK (max_apps BETWEEN 0 AND 10);
