//! Offloads of network devices: ethtool(8), SIOCETHTOOL (linux/ethtool.h).

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

const ETHTOOL_STXCSUM: u32 = 0x17;
const SIOCETHTOOL: u32 = 0x8946;

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Switches transmit checksum offload of a device, and segmentation offload with it
/// (netdev_fix_features, net/core/dev.c). The device is in the network namespace of `socket`,
/// which may be a socket of any family. `name` has at most 15 bytes.
pub(crate) fn set_checksum_offload(
    socket: BorrowedFd<'_>,
    name: &str,
    on: bool,
) -> nix::Result<()> {
    let mut value = Value { command: ETHTOOL_STXCSUM, data: u32::from(on) };
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays 0.
    for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    let fd = socket.as_raw_fd();
    // SAFETY: SIOCETHTOOL reads the name, and the two words that the pointer leads to.
    let done = unsafe { libc::ioctl(fd, SIOCETHTOOL as _, &raw mut request) };
    Errno::result(done).map(drop)
}
