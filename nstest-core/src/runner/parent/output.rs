//! Reads the pipes from the body, without blocking, and turns bytes into text.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// The read end of a pipe, which is read without blocking.
#[derive(Debug)]
pub(super) struct Drain {
    pipe: File,
    open: bool,
}

impl Drain {
    /// Only this end of the pipe becomes non-blocking; the other end has flags of its own.
    pub(super) fn new(pipe: OwnedFd) -> nix::Result<Self> {
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { pipe: File::from(pipe), open: true })
    }

    /// What to poll; absent once every writer has closed the pipe.
    pub(super) fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        self.open.then(|| self.pipe.as_fd())
    }

    /// Passes on what has arrived, at most about 1 MiB: a body that prints without end must
    /// not keep the parent from checking the timeout.
    pub(super) fn drain(&mut self, mut take: impl FnMut(&[u8])) {
        const MOST: usize = 1024 * 1024;
        let mut buffer = [0; 16 * 1024];
        let mut taken = 0;
        while self.open && taken < MOST {
            match self.pipe.read(&mut buffer) {
                Ok(0) => self.open = false,
                Ok(length) => {
                    taken += length;
                    take(&buffer[..length]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.open = false,
            }
        }
    }
}

/// Turns bytes that arrive in pieces into text, with U+FFFD in place of invalid ones.
#[derive(Debug, Default)]
pub(super) struct Text {
    rest: Vec<u8>,
    /// Whether the last line lacks its line break.
    within_line: bool,
}

impl Text {
    /// The text so far, without a character at the end that may be incomplete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let incomplete = self.incomplete_tail();
        let tail = self.rest.split_off(incomplete);
        let whole = std::mem::replace(&mut self.rest, tail);
        self.within_line = whole.last().map_or(self.within_line, |last| *last != b'\n');
        String::from_utf8_lossy(&whole).into_owned()
    }

    /// Where an incomplete character at the end begins.
    fn incomplete_tail(&self) -> usize {
        let end = self.rest.len();
        (end.saturating_sub(3)..end)
            .find(|&at| {
                std::str::from_utf8(&self.rest[at..])
                    .is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none())
            })
            .unwrap_or(end)
    }

    /// The rest, with a line break if the last line lacks one.
    pub(super) fn finish(self) -> String {
        let mut rest = String::from_utf8_lossy(&self.rest).into_owned();
        if self.within_line || !rest.is_empty() {
            rest.push('\n');
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of `bytes` that arrive in pieces of `size`.
    fn in_pieces(bytes: &[u8], size: usize) -> String {
        let mut text = Text::default();
        let mut all: String = bytes.chunks(size).map(|piece| text.push(piece)).collect();
        all.push_str(&text.finish());
        all
    }

    #[test]
    fn the_text_does_not_depend_on_the_pieces() {
        for bytes in ["häß€𝄞\0x\n".as_bytes(), b"a\xffb\xe2\x82", b"\xf0\x9d\xffz\xe2\x82\xac", b""]
        {
            let mut whole = String::from_utf8_lossy(bytes).into_owned();
            if !whole.is_empty() && !whole.ends_with('\n') {
                whole.push('\n');
            }
            for size in 1..=bytes.len().max(1) {
                assert_eq!(in_pieces(bytes, size), whole, "in pieces of {size}");
            }
        }
    }
}
