//! The pieces of `hot` with the allocator of the program, for `benches/shared`: memory that one thread has allocated and
//! another has freed is used again by the first alone, which that of the system does otherwise.

use std::process::ExitCode;

#[path = "hot/main.rs"]
mod hot;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hot::main()
}
