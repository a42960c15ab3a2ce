//! Metric names, the registry they are collected in, and log set-up.
