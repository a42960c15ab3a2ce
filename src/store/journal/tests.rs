//! Stories of crashes, damage, full disks and busy writers.
