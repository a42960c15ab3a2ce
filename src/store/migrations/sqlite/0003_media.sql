-- Whether the media of a tenant's calls is relayed, and how much of it at once.

ALTER TABLE tenants ADD COLUMN media TEXT NOT NULL DEFAULT 'auto' CHECK (media IN ('auto', 'always', 'never'));
ALTER TABLE tenants ADD COLUMN max_media INTEGER;
