//! Metric names, the registry they are collected in, and log set-up.
//!
//! This crate counts nothing itself. The floors above keep plain numbers of their own; when somebody asks, they put
//! them into a [`Scrape`], and [`Metrics`] turns that into the text that Prometheus reads.

pub mod format;
pub mod histogram;
pub mod logs;
pub mod names;
mod openmetrics;
pub mod registry;
pub mod scrape;
mod tenants;

pub use format::Format;
pub use histogram::Histogram;
pub use registry::Metrics;
pub use scrape::Scrape;
