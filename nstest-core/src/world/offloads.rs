//! Segmentation and checksum offload of a node.

use super::node::Node;
use crate::error::Result;

impl Node {
    /// Switches segmentation and checksum offload of all its interfaces, also of those that it
    /// gets later.
    ///
    /// Offloads are on at first, as in most hosts. The kernel then passes TCP data between
    /// nodes in frames of up to 64 KiB, and leaves the checksums of TCP, UDP and SCTP
    /// incomplete, because no frame leaves the machine. A network stack of its own that reads
    /// from a packet socket (packet(7)) sees these frames as they are. With offloads off, all
    /// frames that the node sends or receives are as on a physical link: no longer than the
    /// MTU, with complete checksums. The other nodes may have offloads on.
    ///
    /// The setting stays in force when the node joins another LAN, roams, or is
    /// [restored](Node::restore). Frames that were sent before this call may still arrive as
    /// they were. The node's `lo` is not concerned.
    ///
    /// `#[netns_test(offloads = false)]` switches the offloads of all nodes off,
    /// [`NodeBuilder::without_offloads`](super::NodeBuilder::without_offloads) those of one.
    /// They are the transmit checksum and segmentation offload of ethtool(8), which is
    /// switched off at both ends of the node's veth pairs. Before Linux 6.11, the kernel then
    /// refuses `UDP_SEGMENT` in the node with EIO, as on other hosts without checksum offload.
    ///
    /// ```no_run
    /// # fn test(net: nstest::Net) -> nstest::TestResult {
    /// net.local().set_offloads(false)?;
    /// // … the test runs a stack on a packet socket at `eth0` …
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `config` in a test that joined a namespace; what the kernel refuses.
    pub fn set_offloads(&self, on: bool) -> Result<()> {
        self.net().edit(|spec| spec.set_offloads(self.id(), on))
    }
}
