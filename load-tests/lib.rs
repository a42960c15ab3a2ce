//! A SIP load generator: phones that register and call at a rate, with every answer verified.

pub mod report;
