//! The thread that lets faults come and go, at their times or after a packet.
//!
//! A test has one, which is started for the first fault that needs it. It locks the
//! network only while it acts, and ends with it.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::id::FaultId;
use crate::error::{Error, ErrorCode, Result};
use crate::sync::lock;

/// What the thread acts on: a network with faults.
pub(in crate::world) trait Scheduled {
    /// Whether the schedule of a fault says that it is in force at a time.
    fn is_on_at(&self, id: FaultId, at: Instant) -> bool;

    /// Puts a fault into force or takes it out, as its schedule says for this time.
    fn switch(&mut self, id: FaultId, at: Instant);

    /// When the schedule of a fault changes next, after a time or after its start.
    fn next_change(&self, id: FaultId, after: Option<Instant>) -> Option<Instant>;

    /// The packet that a fault begins with came at this time: its schedule starts.
    fn start(&mut self, id: FaultId, at: Instant);
}

/// Starts the thread when it is needed, and sends it messages.
pub(in crate::world) struct Scheduler {
    start: Box<dyn Fn(Receiver<FaultEvent>) -> io::Result<()> + Send>,
    messages: Option<Sender<FaultEvent>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum FaultEvent {
    /// The schedule of a fault has started.
    Started(FaultId),
    /// The packet that a fault begins with came at this time.
    Triggered(FaultId, Instant),
}

impl Scheduler {
    pub(in crate::world) fn new<N: Scheduled + Send + 'static>(network: Weak<Mutex<N>>) -> Self {
        let start = move |inbox| {
            let network = Weak::clone(&network);
            let thread = thread::Builder::new().name("nstest schedule".to_owned());
            thread.spawn(move || run(&inbox, &network)).map(drop)
        };
        Self { start: Box::new(start), messages: None }
    }

    /// Follows the schedule of a fault from now on.
    pub(super) fn follow(&mut self, id: FaultId) -> Result<()> {
        // The thread ends with the network, which has this end of the channel.
        let _ = self.messages()?.send(FaultEvent::Started(id));
        Ok(())
    }

    /// The way to the thread.
    ///
    /// # Errors
    /// `setup`, if the thread cannot be started.
    pub(super) fn messages(&mut self) -> Result<&Sender<FaultEvent>> {
        match &mut self.messages {
            Some(messages) => Ok(messages),
            none => {
                let (messages, inbox) = mpsc::channel();
                (self.start)(inbox).map_err(|error| {
                    Error::new(ErrorCode::Setup, "start the thread for faults with a schedule")
                        .source(error)
                })?;
                Ok(none.insert(messages))
            }
        }
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler").field("started", &self.messages.is_some()).finish()
    }
}

fn run<N: Scheduled>(inbox: &Receiver<FaultEvent>, network: &Weak<Mutex<N>>) {
    let mut due: BTreeSet<(Instant, FaultId)> = BTreeSet::new();
    loop {
        let now = Instant::now();
        while let Some(at) = due.first().map(|(at, _)| *at).filter(|at| *at <= now) {
            let Some(network) = network.upgrade() else { return };
            let mut network = lock(&network);
            let later = due.split_off(&(at + Duration::from_nanos(1), FaultId::FIRST));
            let ids = std::mem::replace(&mut due, later).into_iter().map(|(_, id)| id);
            // A fault that follows another is in force before that one goes: no packet
            // passes between them.
            let (come, go): (Vec<_>, Vec<_>) = ids.partition(|id| network.is_on_at(*id, at));
            for id in come.into_iter().chain(go) {
                network.switch(id, at);
                due.extend(network.next_change(id, Some(at)).map(|next| (next, id)));
            }
        }
        let message = match due.first() {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some((at, _)) => inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match message {
            Ok(message) => {
                let Some(network) = network.upgrade() else { return };
                let mut network = lock(&network);
                let next = match message {
                    FaultEvent::Started(id) => network.next_change(id, None).map(|next| (next, id)),
                    FaultEvent::Triggered(id, at) => {
                        network.start(id, at);
                        network.next_change(id, Some(at)).map(|next| (next, id))
                    }
                };
                due.extend(next);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
