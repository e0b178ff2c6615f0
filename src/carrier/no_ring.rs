//! What takes the place of `ring` on systems without io_uring.

use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;

/// How many clients are written to before the next are looked at.
pub(crate) const CAPACITY: usize = 256;

/// One write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Send<'a>(PhantomData<&'a [u8]>);

impl<'a> Send<'a> {
    pub(crate) const fn new<T>(_: &'a T, _: &'a [u8]) -> Self {
        Self(PhantomData)
    }
}

/// There is none.
#[derive(Debug)]
pub(crate) struct Ring(Infallible);

impl Ring {
    /// # Errors
    /// Always.
    pub(crate) fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// # Errors
    /// Nobody can call it.
    pub(crate) fn send(&mut self, _: &[Send<'_>], _: &mut [usize]) -> io::Result<()> {
        match self.0 {}
    }
}
