//! A DNS server for tests: its answers and failures, and the server itself.
//!
//! [`Node::serve_dns`](crate::Node::serve_dns) starts it, and
//! [`Resolver::answer`](crate::Resolver::answer) configures it with the types of this module.
//!
//! In dependency order:
//!
//! - `query`: the queries that it received;
//! - `record`, `answer`: what a test configures;
//! - `script`: which answer a query gets, as a pure function of the query and the time;
//! - `message`: from the bytes of a query to the bytes of its response (RFC 1035);
//! - `datagram`, `server`: the sockets, and the thread in the node that serves them.

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
pub use script::ScriptedAnswer;
pub(crate) use server::DnsServer;
