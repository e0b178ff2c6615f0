//! Membership of this node in Redis.
#![allow(dead_code)]

mod changes;
mod keys;
mod orders;
