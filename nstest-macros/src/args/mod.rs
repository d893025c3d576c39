//! The arguments of the attributes.
//!
//! Modules in dependency order: each may use only those listed before it.
//!
//! - `value`: how an argument is written (`name = value`, `name`, `name(list)`)
//!   and the trait that reads its value.
//! - `run`, `network`, `faults`: the types of the values, by subject.
//! - `table`: all arguments, one a line, and the parser.
//!
//! A new argument is a line in the table, and a [`Value`](value::Value) if its type
//! has none. What is on by default takes a value (`root = false`). What is off by
//! default is a word (`uplink`), as in `#[serde(transparent)]`, and also takes a
//! value, for macros that pass one through.

mod faults;
mod network;
mod run;
mod table;
mod value;

pub(crate) use faults::{Action, Fault};
pub(crate) use run::{Flavor, Timeout};
pub(crate) use table::Args;
