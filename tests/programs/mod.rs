//! What tests of running programs need: the program, and a client that waits for what it should hear.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod peer;
pub(crate) mod program;

use std::time::Duration;

/// Nothing that a test waits for takes longer, also on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);
