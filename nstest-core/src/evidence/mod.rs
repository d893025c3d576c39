//! Evidence: what is kept of a test that fails, as data and as files.
//!
//! In dependency order:
//!
//! - [`shown`]: texts and paths for terminals and shells;
//! - [`fields`]: the fields of events, as bytes and as JSON;
//! - [`timeline`]: the events of a test;
//! - [`verdicts`]: what the wire did to frames;
//! - [`packets`]: the recorded packets as events;
//! - [`matching`]: which records are of one frame, and what faults did to it;
//! - [`pcapng`], [`capture`]: the file format; a test's capture for Wireshark;
//! - [`story`]: what happened, reduced from events and packets;
//! - [`hints`]: known patterns of failures;
//! - [`difference`]: the first packet in which two runs differ;
//! - [`card`]: what a reader needs first, on 25 lines;
//! - [`report`]: the record as a page for browsers;
//! - [`commit`]: the commit of the sources;
//! - [`files`]: the names of its files and directories;
//! - [`store`]: the directory of a failed test.

pub(crate) mod capture;
pub(crate) mod card;
pub(crate) mod commit;
pub(crate) mod difference;
mod fields;
pub(crate) mod files;
pub(crate) mod hints;
pub(crate) mod matching;
pub(crate) mod packets;
mod pcapng;
pub(crate) mod report;
pub(crate) mod shown;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
pub(crate) mod store;
pub(crate) mod story;
pub(crate) mod timeline;
pub(crate) mod verdicts;
