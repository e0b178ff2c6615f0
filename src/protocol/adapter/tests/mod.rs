//! Golden bytes, junk, properties.
