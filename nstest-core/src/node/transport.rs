//! What a node has sent and received until now: the kernel's counters, and its TCP sockets.
//!
//! The traps:
//! - A received datagram is counted when the program reads it (`udp_recvmsg`, net/ipv4/udp.c).
//! - A connection that an end has closed stays in the list of that end for a minute (TIME_WAIT).
//!   At the other end, and after a reset, it is gone at once.
//! - A SYN that is refused is counted at the refusing end as a sent reset only.
//!
//! See proc_pid_net(5), and RFC 4022 for the counters of TCP.

use std::fs;
use std::io;
use std::net::SocketAddr;

use super::executor::NodeExecutor;
use crate::addr::Family;
use crate::error::{Error, ErrorCode, Result};
use crate::netlink::nftables::L4Proto;
use crate::netlink::sock_diag::{self, InetSocket, States};
use crate::netlink::{NetlinkFamily, Socket};

/// The traffic of a node since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TransportUse {
    /// The connections that it opened, whether or not they succeeded.
    pub(crate) opened: u64,
    /// The connections that it accepted.
    pub(crate) accepted: u64,
    /// The resets that it sent.
    pub(crate) resets: u64,
    /// Whether it sent or received a datagram.
    pub(crate) udp: bool,
    /// Whether it sent or received an ICMP message other than control traffic.
    pub(crate) icmp: bool,
    /// Whether it forwarded a packet of others.
    pub(crate) forwarded: bool,
    /// Its TCP sockets. If it neither opened nor accepted a connection, they are not listed.
    pub(crate) sockets: Vec<TcpSocket>,
}

/// A TCP socket. IPv4 addresses of IPv6 sockets are IPv4 addresses here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TcpSocket {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) state: TcpState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TcpState {
    Listening,
    /// Its handshake is not complete.
    Opening,
    Open,
    /// This end has closed it: FIN-WAIT-2 or TIME-WAIT.
    Closed,
}

impl NodeExecutor {
    /// Its traffic until now.
    pub(crate) fn transport_use(&self) -> Result<TransportUse> {
        let counters = self.namespace().enter(Counters::read)?;
        let counters = counters.map_err(|error| {
            let what = format!("read the counters of node {}", self.name());
            Error::new(ErrorCode::Namespace, what).source(error)
        })?;
        let mut seen = counters.transport_use();
        if seen.opened + seen.accepted == 0 && seen.udp {
            return Ok(seen);
        }
        let open = || Socket::open(NetlinkFamily::SockDiag, format!("node {}", self.name()));
        let mut socket = self.namespace().enter(open)??;
        for version in Family::BOTH {
            if seen.opened + seen.accepted > 0 {
                let found = sock_diag::list(&mut socket, L4Proto::Tcp, version, States::ALL)?;
                seen.sockets.extend(found.iter().filter_map(TcpSocket::of));
            }
            if !seen.udp {
                let found = sock_diag::list(&mut socket, L4Proto::Udp, version, States::ALL)?;
                seen.udp = found.iter().any(|socket| socket.receive_queue > 0);
            }
        }
        Ok(seen)
    }
}

impl TcpSocket {
    /// `None` if it is bound only.
    fn of(socket: &InetSocket) -> Option<Self> {
        // As in include/net/tcp_states.h: 2 and 3 are SYN-SENT and SYN-RECEIVED, also in
        // Fast Open (12).
        let state = match socket.state {
            10 => TcpState::Listening,
            2 | 3 | 12 => TcpState::Opening,
            5 | 6 => TcpState::Closed,
            _ if socket.remote.port() == 0 => return None,
            _ => TcpState::Open,
        };
        let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
        Some(Self { local: canonical(socket.local), remote: canonical(socket.remote), state })
    }
}

/// The files `snmp` and `snmp6` of /proc/net.
struct Counters {
    snmp: String,
    snmp6: String,
}

impl Counters {
    /// Those of the namespace that the calling thread is in.
    fn read() -> io::Result<Self> {
        let snmp = fs::read_to_string("/proc/thread-self/net/snmp")?;
        // A kernel without IPv6 has no such file.
        let snmp6 = fs::read_to_string("/proc/thread-self/net/snmp6").unwrap_or_default();
        Ok(Self { snmp, snmp6 })
    }

    /// A counter of `snmp`, which has two lines for each protocol: names and values.
    fn of(&self, protocol: &str, name: &str) -> u64 {
        let mut lines = self.snmp.lines().filter_map(|line| line.strip_prefix(protocol));
        let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return 0 };
        let mut pairs = names.split_whitespace().zip(values.split_whitespace());
        let value = pairs.find_map(|(found, value)| (found == name).then_some(value));
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// Whether a counter of `snmp6` with one of these names is not 0.
    fn any6(&self, names: &[&str]) -> bool {
        let mut pairs = self.snmp6.lines().filter_map(|line| line.split_once(char::is_whitespace));
        pairs.any(|(name, value)| names.contains(&name) && value.trim() != "0")
    }

    fn transport_use(&self) -> TransportUse {
        const UDP6: [&str; 4] =
            ["Udp6InDatagrams", "Udp6NoPorts", "Udp6InErrors", "Udp6OutDatagrams"];
        const ICMP6: [&str; 12] = [
            "Icmp6InDestUnreachs",
            "Icmp6InPktTooBigs",
            "Icmp6InTimeExcds",
            "Icmp6InParmProblems",
            "Icmp6InEchos",
            "Icmp6InEchoReplies",
            "Icmp6OutDestUnreachs",
            "Icmp6OutPktTooBigs",
            "Icmp6OutTimeExcds",
            "Icmp6OutParmProblems",
            "Icmp6OutEchos",
            "Icmp6OutEchoReplies",
        ];
        let any = |protocol, names: &[&str]| names.iter().any(|name| self.of(protocol, name) > 0);
        TransportUse {
            opened: self.of("Tcp:", "ActiveOpens"),
            accepted: self.of("Tcp:", "PassiveOpens"),
            resets: self.of("Tcp:", "OutRsts"),
            udp: any("Udp:", &["InDatagrams", "NoPorts", "InErrors", "OutDatagrams"])
                || self.any6(&UDP6),
            icmp: any("Icmp:", &["InMsgs", "OutMsgs"]) || self.any6(&ICMP6),
            forwarded: any("Ip:", &["ForwDatagrams"]) || self.any6(&["Ip6OutForwDatagrams"]),
            sockets: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Linux 6.18: `cat /proc/net/snmp /proc/net/snmp6`, shortened.
    #[test]
    fn counters_are_read() {
        let snmp = "Ip: Forwarding DefaultTTL InReceives ForwDatagrams\n\
                    Ip: 2 64 0 0\n\
                    Icmp: InMsgs OutMsgs\n\
                    Icmp: 0 0\n\
                    Tcp: ActiveOpens PassiveOpens AttemptFails OutRsts\n\
                    Tcp: 3 2 0 1\n\
                    Udp: InDatagrams NoPorts InErrors OutDatagrams\n\
                    Udp: 0 0 0 0\n\
                    UdpLite: InDatagrams\n\
                    UdpLite: 1\n";
        let snmp6 = "Icmp6InMsgs                     \t7\n\
                     Icmp6InEchos                    \t0\n\
                     Udp6OutDatagrams                \t4\n";
        let counters = Counters { snmp: snmp.to_owned(), snmp6: snmp6.to_owned() };
        let expected =
            TransportUse { opened: 3, accepted: 2, resets: 1, udp: true, ..Default::default() };
        assert_eq!(counters.transport_use(), expected);
    }
}
