//! A resolver that answers as the test says: records, and every way in which a
//! look-up fails.
//!
//! It is started by [`Node::serve_dns`](crate::Node::serve_dns), and told what to
//! answer by [`Resolver::answer`](crate::Resolver::answer); these are the words
//! for that.
//!
//! - `answer`, `record`: what a test says;
//! - `query`: what was asked;
//! - `script`: from a question to what is said to it, a pure function of the time;
//! - `message`: the same as bytes (RFC 1035);
//! - `server`, `datagram`: sockets, in a thread that lives in the node.

mod answer;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod datagram;
mod message;
mod query;
mod record;
mod script;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/dns_server.rs")]
mod server;
#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use query::{Query, QueryType, Transport};
pub use record::Record;
pub(crate) use script::Script;
pub use script::Scripted;
pub(crate) use server::Server;
