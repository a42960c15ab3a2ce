//! Tenants and extensions as validated plain data and immutable snapshots; no I/O.
