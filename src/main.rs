//! The front door: hands the arguments to the server and its verdict to the shell.

fn main() -> std::process::ExitCode {
    ringway_server::run(std::env::args_os())
}
