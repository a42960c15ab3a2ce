-- Whether a tenant's REGISTER is answered when this node keeps it, or when Redis does too.

ALTER TABLE tenants ADD COLUMN acknowledge TEXT NOT NULL DEFAULT 'memory' CHECK (acknowledge IN ('memory', 'redis'));
