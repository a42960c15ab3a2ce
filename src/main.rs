//! The front door: hands the arguments to the server and its verdict to the shell.

/// Gives back what a flood has taken, from a thread of its own. Why not the system's: docs/floods.md.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    ringway_server::run(std::env::args_os())
}
