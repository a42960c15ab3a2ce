-- What a tenant may ask for a second (NULL: what the node's configuration says; 0: no budget), and how much it counts when there is not enough.

ALTER TABLE tenants ADD COLUMN requests_ps INTEGER CHECK (requests_ps >= 0);
ALTER TABLE tenants ADD COLUMN registers_ps INTEGER CHECK (registers_ps >= 0);
ALTER TABLE tenants ADD COLUMN calls_ps INTEGER CHECK (calls_ps >= 0);
-- Connections at once.
ALTER TABLE tenants ADD COLUMN connections INTEGER CHECK (connections >= 0);
ALTER TABLE tenants ADD COLUMN weight INTEGER CHECK (weight BETWEEN 1 AND 1000);
