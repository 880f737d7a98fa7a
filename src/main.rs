//! The `dotp2p` program.

fn main() -> std::process::ExitCode {
    dotp2p::cli::main()
}
