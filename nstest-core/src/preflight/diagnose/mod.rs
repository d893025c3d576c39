//! From the refusal, the facts and the probes to one cause: a table of small pure functions.
//!
//! The errno of each refusal is that of kernel/user_namespace.c, kernel/ucount.c,
//! kernel/fork.c and fs/namespace.c, as user_namespaces(7), clone(2) and
//! mount_namespaces(7) document it.
//!
//! In dependency order:
//!
//! - `evidence`: what a diagnosis is made from;
//! - `guard`, `kernel`, `namespace`, `paths`, `procfs`, `resource`: the causes, by area;
//! - `causes`: the order in which they are tried.

mod causes;
mod evidence;
mod guard;
mod kernel;
mod namespace;
mod paths;
mod procfs;
mod resource;

pub(super) use causes::{diagnose, missing_path};
