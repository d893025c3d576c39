//! The types of what a block of statements is given: its `<!-- given: … -->`.

pub(crate) use nstest::{Lan, Net, Node, Router};
pub(crate) use std::net::{TcpListener, UdpSocket};
