-- How many seconds a call of a tenant may last (NULL: what the node's configuration says).

ALTER TABLE tenants ADD COLUMN max_call_seconds INTEGER CHECK (max_call_seconds >= 10);
