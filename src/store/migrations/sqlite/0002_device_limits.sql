-- How many devices of an extension may be registered at once, and what becomes of one too many.

ALTER TABLE tenants ADD COLUMN when_full TEXT NOT NULL DEFAULT 'reject';
ALTER TABLE extensions ADD COLUMN max_phones INTEGER NOT NULL DEFAULT 3;
ALTER TABLE extensions ADD COLUMN max_apps INTEGER NOT NULL DEFAULT 5;
