//! Packet sockets: capture and send frames of many devices.
//!
//! In dependency order:
//!
//! - [`offloads`]: what is left to do for a frame;
//! - [`socket`]: the socket and its options;
//! - [`mapping`]: the memory that a socket shares with the kernel;
//! - [`ring`]: memory that the kernel fills with frames, one a slot;
//! - [`block_ring`]: the same with as many frames in a block as fit;
//! - [`receive`]: single frames, of a socket without a ring;
//! - [`deferred_close`]: leaves the closing of a socket to the kernel;
//! - [`send`]: many frames in one call, each with its own device and mark.
//!
//! The traps:
//! - A socket that is created with a protocol captures from that moment, and its later
//!   `bind` waits for RCU (8 ms). One that is created with 0 and bound once does not.
//!   Closing a packet socket always waits (packet_release, net/packet/af_packet.c).
//! - `sk_filter` sees the frame with its link-layer header, so `len` counts that.
//!
//! See packet(7), Documentation/networking/packet_mmap.rst.

mod block_ring;
mod deferred_close;
mod mapping;
mod offloads;
mod receive;
mod ring;
mod send;
mod socket;

pub(crate) use block_ring::{BlockRing, Blocks, Captured};
pub(crate) use deferred_close::DeferredClose;
pub(crate) use offloads::{OFFLOADS, Offloads};
pub(crate) use ring::{Geometry, Ring, Slot};
pub(crate) use send::{Outgoing, Sender};
pub(crate) use socket::PacketSocket;
