//! The messages between the processes of a test, as bytes.
//!
//! The parent gives the body an [`Assignment`] when it starts it. The body and its init
//! write [`Event`]s into one pipe, which the parent reads.
//!
//! An event is a tag, the length of its payload in four bytes (little endian), and the
//! payload. Init writes [`Event::Ended`], [`Event::InitFailed`] and [`Event::NotAwaited`]; the
//! body writes the others. Either writes [`Event::Stopped`] and [`Event::Continued`] of its child.
//! Events do not mix (pipe(7)): they are shorter than `PIPE_BUF`, or
//! written while no other process writes. Findings can be larger than the pipe, so a parent that
//! expects them reads while they are written.

use std::time::Duration;

#[cfg(feature = "cli")]
use nix::libc;

use crate::run_config::{Findings, RunConfig};
use crate::sys::init::{message, tag};

/// What the body or its init reports to the parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The wrapper found that this process, with this PID, is the body.
    Started(u32),
    /// The message of a panic on the test's own thread. No result may follow
    /// (`panic = "abort"`).
    Panicked(String),
    /// The body waits at its end, for this reason, until the parent has it go on.
    Paused(String),
    /// What the body found, sent before its result. Empty findings are not sent.
    Found(Findings),
    /// The body passed.
    Passed,
    /// The body failed.
    Failed(Failure),
    /// The test closed the pipe for events, and the body opened it again to say so.
    PipeClosed,
    /// Init could not start the body, because of this `errno`.
    InitFailed(i32),
    /// Init could not wait for the body, because of this `errno`.
    NotAwaited(i32),
    /// The body's process ended with this wait status, as waitpid(2) gives it.
    Ended(i32),
    /// This signal has stopped the body, or the program that is its child.
    Stopped(i32),
    /// What was stopped goes on.
    Continued,
    /// The program that the body was to start was not executed, because of this `errno`.
    NotExecuted(i32),
}

/// How a body fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It panicked with this text.
    Panic(String),
    /// It panicked with a payload other than a text.
    PanicAny,
    /// It returned an error with this text, or the beginning of it, which has been printed.
    Error(String),
    /// It returned a failure: an exit code, as text, or an error, which has been printed.
    Returned(Option<String>),
    /// It failed outside of the test function, with this report: a parameter could not be
    /// made, or something failed in a node without the test function noticing.
    Reported(String),
}

impl Event {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (number, findings);
        let (first, payload): (u8, &[u8]) = match self {
            Event::Started(pid) => {
                number = pid.to_le_bytes();
                (b'S', &number)
            }
            Event::Panicked(text) => (b'H', text.as_bytes()),
            Event::Paused(why) => (b'D', why.as_bytes()),
            Event::Found(found) => {
                findings = found.encode();
                (b'N', &findings)
            }
            Event::Passed => (b'P', &[]),
            Event::Failed(Failure::Panic(text)) => (b'F', text.as_bytes()),
            Event::Failed(Failure::PanicAny) => (b'A', &[]),
            Event::Failed(Failure::Returned(code)) => {
                (b'R', code.as_ref().map_or(&[], |code| code.as_bytes()))
            }
            Event::Failed(Failure::Error(text)) => (b'M', text.as_bytes()),
            Event::Failed(Failure::Reported(text)) => (b'U', text.as_bytes()),
            Event::PipeClosed => (b'C', &[]),
            Event::InitFailed(errno) => return message(tag::NOT_STARTED, *errno).to_vec(),
            Event::NotAwaited(errno) => return message(tag::NOT_AWAITED, *errno).to_vec(),
            Event::Ended(status) => return message(tag::ENDED, *status).to_vec(),
            Event::Stopped(signal) => return message(tag::STOPPED, *signal).to_vec(),
            Event::Continued => return message(tag::CONTINUED, 0).to_vec(),
            Event::NotExecuted(errno) => {
                number = errno.to_le_bytes();
                (b'X', &number)
            }
        };
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let payload = &payload[..length as usize];
        [&[first], &length.to_le_bytes()[..], payload].concat()
    }

    /// What the wait status of a child says (waitpid(2)).
    #[cfg(feature = "cli")]
    pub(crate) fn of_change(status: i32) -> Event {
        if libc::WIFSTOPPED(status) {
            Event::Stopped(libc::WSTOPSIG(status))
        } else if libc::WIFCONTINUED(status) {
            Event::Continued
        } else {
            Event::Ended(status)
        }
    }

    /// Takes the first event off `bytes`, if it is complete and known.
    pub(crate) fn decode(bytes: &mut Vec<u8>) -> Option<Event> {
        let header = bytes.get(..5)?;
        let first = header[0];
        let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
        let payload = bytes.get(5..5 + length)?;
        let text = || String::from_utf8_lossy(payload).into_owned();
        let number = || payload.try_into().map(i32::from_le_bytes).unwrap_or_default();
        let event = match first {
            b'S' => Event::Started(number().unsigned_abs()),
            b'H' => Event::Panicked(text()),
            b'D' => Event::Paused(text()),
            b'N' => Event::Found(Findings::decode(payload)?),
            b'P' => Event::Passed,
            b'F' => Event::Failed(Failure::Panic(text())),
            b'A' => Event::Failed(Failure::PanicAny),
            b'R' => Event::Failed(Failure::Returned(Some(text()).filter(|code| !code.is_empty()))),
            b'M' => Event::Failed(Failure::Error(text())),
            b'U' => Event::Failed(Failure::Reported(text())),
            b'C' => Event::PipeClosed,
            tag::NOT_STARTED => Event::InitFailed(number()),
            tag::NOT_AWAITED => Event::NotAwaited(number()),
            tag::ENDED => Event::Ended(number()),
            tag::STOPPED => Event::Stopped(number()),
            tag::CONTINUED => Event::Continued,
            b'X' => Event::NotExecuted(number()),
            _ => return None,
        };
        bytes.drain(..5 + length);
        Some(event)
    }
}

/// The exit status of a body that has failed, as libtest's.
pub(crate) const FAILED: i32 = 101;

/// What the parent gives the body to do, in the payload of a
/// [`Handover`](crate::sys::init::Handover).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// The path of the test function, without the crate.
    pub(crate) test: String,
    /// The body's end of the [recorder's channel](crate::recorder), if there is one.
    pub(crate) recorder: Option<i32>,
    /// Whether `lo` of the test's own node is recorded.
    pub(crate) records_loopback: bool,
    /// The socket through which a program hands over the listeners of host ports, if it has some.
    pub(crate) listeners: Option<i32>,
    /// How the body pauses, if it does.
    pub(crate) pause: Option<AssignedPause>,
    /// How long the test may take; `None` is without limit.
    pub(crate) timeout: Option<Duration>,
    pub(crate) run_config: RunConfig,
}

/// How the body pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AssignedPause {
    /// A pipe, from which it reads a byte before it goes on.
    pub(crate) resume: i32,
    /// Whether it also pauses when it has passed.
    pub(crate) always: bool,
}

impl Assignment {
    /// `timeout:recorder:listeners:pause:run_config:test`: the timeout in nanoseconds, or `-`; the
    /// descriptor for pauses with an `a` after it for `always`, or `-`.
    pub(crate) fn encode(&self) -> String {
        let timeout = self.timeout.map_or("-".to_owned(), |time| time.as_nanos().to_string());
        let lo = if self.records_loopback { "+lo" } else { "" };
        let recorder = self.recorder.map_or("-".to_owned(), |end| format!("{end}{lo}"));
        let listeners = self.listeners.map_or("-".to_owned(), |end| end.to_string());
        let pause = self.pause.map_or("-".to_owned(), |AssignedPause { resume, always }| {
            format!("{resume}{}", if always { "a" } else { "" })
        });
        let (run_config, test) = (self.run_config.encode(), &self.test);
        format!("{timeout}:{recorder}:{listeners}:{pause}:{run_config}:{test}")
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let (timeout, rest) = text.split_once(':')?;
        let timeout = match timeout {
            "-" => None,
            nanoseconds => Some(duration(nanoseconds.parse().ok()?)?),
        };
        let (recorder, rest) = rest.split_once(':')?;
        let (recorder, records_loopback) = match recorder.strip_suffix("+lo") {
            Some(recorder) => (recorder, true),
            None => (recorder, false),
        };
        let recorder = descriptor(recorder)?;
        let (listeners, rest) = rest.split_once(':')?;
        let listeners = descriptor(listeners)?;
        let (pause, rest) = rest.split_once(':')?;
        let pause = match (pause, pause.strip_suffix('a')) {
            ("-", _) => None,
            (number, always) => Some(AssignedPause {
                resume: always.unwrap_or(number).parse().ok()?,
                always: always.is_some(),
            }),
        };
        let (run_config, test) = RunConfig::decode(rest)?;
        let test = test.strip_prefix(':')?.to_owned();
        Some(Self { test, recorder, records_loopback, listeners, pause, timeout, run_config })
    }
}

/// The number of a descriptor, or `-` for none.
fn descriptor(text: &str) -> Option<Option<i32>> {
    match text {
        "-" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

fn duration(nanoseconds: u128) -> Option<Duration> {
    const SECOND: u128 = 1_000_000_000;
    let seconds = u64::try_from(nanoseconds / SECOND).ok()?;
    Some(Duration::new(seconds, (nanoseconds % SECOND) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_decoded_whole_and_in_order() {
        let events = [
            Event::Started(2),
            Event::Panicked("ä\n".into()),
            Event::Paused("has passed".into()),
            Event::Failed(Failure::Panic(String::new())),
            Event::Failed(Failure::PanicAny),
            Event::Failed(Failure::Returned(Some("3".into()))),
            Event::Failed(Failure::Returned(None)),
            Event::Failed(Failure::Error("late".into())),
            Event::Failed(Failure::Reported("nstest[setup]: …".into())),
            Event::Found(Findings { unmatched: vec!["reset".into()], ..Findings::default() }),
            Event::Passed,
            Event::PipeClosed,
            Event::InitFailed(11),
            Event::NotAwaited(1),
            Event::Ended(-1),
            Event::Stopped(19),
            Event::Continued,
            Event::NotExecuted(2),
        ];
        let all: Vec<u8> = events.iter().flat_map(Event::encode).collect();
        let (mut buffer, mut seen) = (Vec::new(), Vec::new());
        for byte in all {
            buffer.push(byte);
            seen.extend(Event::decode(&mut buffer));
        }
        assert_eq!(seen, events);
        assert!(buffer.is_empty());
    }

    #[test]
    fn an_unknown_tag_is_refused() {
        assert_eq!(Event::decode(&mut vec![b'?', 0, 0, 0, 0]), None);
    }

    #[test]
    fn an_assignment_is_decoded_as_it_was_encoded() {
        let run_config = RunConfig { plan: Some("p: 1".into()), ..RunConfig::default() };
        for timeout in [None, Some(Duration::MAX), Some(Duration::from_millis(1500))] {
            let run_config = run_config.clone();
            let recorder = timeout.map(|_| 7);
            let pause =
                timeout.map(|timeout| AssignedPause { resume: 8, always: timeout < Duration::MAX });
            let assignment = Assignment {
                test: "a::b: c".into(),
                recorder,
                records_loopback: recorder.is_some(),
                listeners: timeout.map(|_| 9),
                pause,
                timeout,
                run_config,
            };
            assert_eq!(Assignment::decode(&assignment.encode()), Some(assignment));
        }
        for forged in [
            "",
            "-",
            "a",
            "-:-:-:-:1:-:-:",
            "x:-:-:-:1:-:-::a",
            "-:x:-:-:1:-:-::a",
            "-:-:x:-:1:-:-::a",
            "-:-:-:a:1:-:-::a",
            "-:-:-:x:1:-:-::a",
            "-:-:-:-:1:-:9:p:a",
            "-:-:-:-:1:-:1:pa",
        ] {
            assert_eq!(Assignment::decode(forged), None, "{forged}");
        }
    }
}
