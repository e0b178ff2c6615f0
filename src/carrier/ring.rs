//! Writes to many clients with one system call: io_uring, where the kernel has it (Linux 6.1) and lets us.
//!
//! A write to a socket is mostly the work of TCP, but what a system call costs besides is up to a quarter of a broadcast.
//! A ring takes up to [`CAPACITY`] writes with one call. Each is tried once and does not wait, as `send` on a
//! socket that does not block: when the call returns, all are done. So nothing here is asynchronous, and what was not
//! written is left to whoever asked.

#![expect(
    unsafe_code,
    reason = "the kernel reads buffers whose addresses it was given: that they outlive the call is shown here, once"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use io_uring::{IoUring, opcode, types};

/// How many writes one call takes at most.
pub(crate) const CAPACITY: usize = ENTRIES as usize;
const ENTRIES: u32 = 256;

/// One write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Send<'a> {
    socket: BorrowedFd<'a>,
    bytes: &'a [u8],
}

impl<'a> Send<'a> {
    pub(crate) fn new(socket: &'a impl AsFd, bytes: &'a [u8]) -> Self {
        let socket = socket.as_fd();
        Self { socket, bytes }
    }
}

/// See the module documentation. Belongs to the thread that made it; empty once the kernel has refused a call.
pub(crate) struct Ring(Option<IoUring>);

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").finish_non_exhaustive()
    }
}

impl Ring {
    /// # Errors
    /// The kernel is older, or somebody has forbidden it (the default of Docker does).
    pub(crate) fn new() -> io::Result<Self> {
        IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(ENTRIES)
            .map(|ring| Self(Some(ring)))
    }

    /// Carries out `sends`; the same place in `taken` is set to how many bytes were, and left alone if it failed. What is
    /// beyond [`CAPACITY`] is not tried.
    ///
    /// # Errors
    /// The ring is of no use any more; `taken` says what was written.
    // Hot: one system call for all.
    pub(crate) fn send(&mut self, sends: &[Send<'_>], taken: &mut [usize]) -> io::Result<()> {
        let ring = self.0.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut n_open = 0;
        let mut queue = ring.submission();
        for (send, index) in sends.iter().zip(0..) {
            // A longer one is written in parts anyway.
            let len = u32::try_from(send.bytes.len()).unwrap_or(u32::MAX);
            let entry =
                opcode::Send::new(types::Fd(send.socket.as_raw_fd()), send.bytes.as_ptr(), len)
                    .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
                    .build()
                    .user_data(index);
            // SAFETY: socket and bytes are borrowed until this function returns. It returns only when every entry that
            // the kernel has taken is done: the loop below counts them, and calls nothing that could panic. Those that it
            // has not taken, after an error, go with the ring, which is dropped here: nothing reads them.
            if unsafe { queue.push(&entry) }.is_err() {
                break;
            }
            n_open += 1;
        }
        drop(queue);
        let (mut n_given, mut n_done) = (0, 0);
        while n_done < n_open {
            match ring.submit_and_wait(n_open - n_done) {
                Ok(n) => n_given += n,
                Err(err) if err.kind() == io::ErrorKind::Interrupted || n_done < n_given => {}
                Err(err) => {
                    self.0 = None;
                    return Err(err);
                }
            }
            for entry in ring.completion() {
                n_done += 1;
                let place = usize::try_from(entry.user_data()).ok();
                if let Some(taken) = place.and_then(|place| taken.get_mut(place))
                    && let Ok(n) = usize::try_from(entry.result())
                {
                    *taken = n;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Shutdown, TcpListener, TcpStream};

    use super::*;

    fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let ours = listener.accept().unwrap().0;
        ours.set_nonblocking(true).unwrap();
        (ours, theirs)
    }

    #[test]
    fn each_gets_its_own_and_who_takes_nothing_is_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut pairs: Vec<_> = (0..CAPACITY).map(|_| pair(&listener)).collect();
        let texts: Vec<_> = (0..CAPACITY).map(|n| format!("to {n}")).collect();
        // The kernel takes some of it, and not all.
        let large = vec![b'x'; 64 << 20];
        let (full, ended) = (10, 20);
        pairs[ended].0.shutdown(Shutdown::Write).unwrap();
        let sends: Vec<_> = (0..CAPACITY)
            .map(|n| {
                let bytes = if n == full {
                    &large
                } else {
                    texts[n].as_bytes()
                };
                Send::new(&pairs[n].0, bytes)
            })
            .collect();

        let mut ring = Ring::new().unwrap();
        let mut took = vec![0; CAPACITY];
        ring.send(&sends, &mut took).unwrap();

        assert!(took[full] > 0 && took[full] < large.len());
        assert_eq!(took[ended], 0);
        // Again: nobody waits for one that is full.
        let again = [sends[full], sends[0]];
        let mut took_again = [usize::MAX, 0];
        ring.send(&again, &mut took_again).unwrap();
        assert_eq!(took_again, [usize::MAX, texts[0].len()]);

        for (n, (_, theirs)) in pairs.iter_mut().enumerate() {
            if n == full || n == ended {
                continue;
            }
            assert_eq!(took[n], texts[n].len());
            let mut read = vec![0; took[n]];
            theirs.read_exact(&mut read).unwrap();
            assert_eq!(read, texts[n].as_bytes());
        }
    }

    #[test]
    fn what_is_too_much_for_one_call_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (ours, mut theirs) = pair(&listener);
        let send = Send::new(&ours, b"x");
        let mut taken = [0; CAPACITY + 3];
        let mut ring = Ring::new().unwrap();
        ring.send(&vec![send; CAPACITY + 3], &mut taken).unwrap();
        assert_eq!(taken.iter().sum::<usize>(), CAPACITY);
        drop(ours);
        let mut read = Vec::new();
        theirs.read_to_end(&mut read).unwrap();
        assert_eq!(read.len(), CAPACITY);
    }
}
