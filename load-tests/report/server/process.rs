//! What the system knows of a process.

use std::fs;

use super::super::clock;

/// The name of a process.
pub(super) fn name(pid: u32) -> Result<String, String> {
    match fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => Ok(name.trim_end().to_owned()),
        Err(_) => {
            Err(format!("there is no process {pid}: give the numbers of the server's processes, such as 812,815"))
        }
    }
}

/// Nanoseconds that all threads of a process were on a processor, those that have ended among them. The scheduler adds
/// them up: nothing is sampled, and no thread that comes and goes between two looks is missed, as it would be in
/// `/proc/PID/task`.
pub(super) fn cpu(pid: u32) -> Option<u64> {
    clock::of_process(pid)
}

/// Bytes in memory. What several processes share is divided among them, so that they can be added up; where the system
/// doesn't tell that, it is all that is resident.
pub(super) fn memory(pid: u32) -> Option<u64> {
    let kilobytes = |file: &str, key: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix(key))?;
        value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    kilobytes("smaps_rollup", "Pss:").or_else(|| kilobytes("status", "VmRSS:")).map(|kilobytes| kilobytes * 1024)
}
