//! The log, whose filter can be changed while it runs.

use std::sync::OnceLock;

use arc_swap::ArcSwap;
use env_logger::Logger;
use greenroom::config::LogConfig;
use log::{Log, Metadata, Record};

static LOG: OnceLock<Filtered> = OnceLock::new();

/// A logger that can be replaced, and how one is made for settings.
struct Filtered {
    logger: ArcSwap<Logger>,
    make: Box<dyn Fn(&LogConfig) -> Logger + Send + Sync>,
}

impl Log for Filtered {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.load().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.logger.load().log(record);
    }

    fn flush(&self) {
        self.logger.load().flush();
    }
}

/// Starts the log of the process, once. `make` gives a logger for settings.
pub(crate) fn start(
    config: &LogConfig,
    make: impl Fn(&LogConfig) -> Logger + Send + Sync + 'static,
) {
    let log = LOG.get_or_init(|| Filtered {
        logger: ArcSwap::from_pointee(make(config)),
        make: Box::new(make),
    });
    // A program has one; a second call finds it set, which is as well.
    let _ = log::set_logger(log);
    log::set_max_level(log.logger.load().filter());
}

/// From now on these settings hold.
pub(crate) fn change(config: &LogConfig) {
    if let Some(log) = LOG.get() {
        log.logger.store((log.make)(config).into());
        log::set_max_level(log.logger.load().filter());
    }
}
