//! `greenroom genconfig`: the configuration file with all its comments.

use clap::Args;
use greenroom::config::Config;

use super::{Failure, print};

/// Print a config.toml with every key, its meaning and its default
#[derive(Debug, Args)]
pub(super) struct Genconfig {
    /// Print the reference of the configuration in Markdown
    #[arg(long)]
    markdown: bool,
}

impl Genconfig {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let text = match self.markdown {
            true => Config::reference(),
            false => Config::commented(),
        };
        print(text.trim_end())
    }
}
