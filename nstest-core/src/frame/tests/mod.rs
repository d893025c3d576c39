mod build;
mod fixtures;

use expect_test::expect;

use self::fixtures::*;
use super::kind::{ControlKind, PacketKind};
use super::view::PacketView;

/// Every fixture, decoded, with its kind.
#[test]
fn frames_of_the_kernel_are_parsed() {
    let frames = [
        ARP_REQUEST,
        ARP_REPLY,
        SYN,
        RST_TO_SYN,
        SYN_ACK,
        ACK,
        DATA,
        FIN,
        SYN6,
        RST_TO_SYN6,
        UDP,
        PORT_UNREACHABLE,
        UDP6,
        PORT_UNREACHABLE6,
        FRAGMENT,
        FIRST_FRAGMENT6,
        FRAGMENT6,
        NEIGHBOUR_SOLICITATION,
        ROUTER_SOLICITATION,
        MLD_REPORT,
        IGMP_REPORT,
    ];
    let mut lines = String::new();
    for frame in frames {
        let frame = hex(frame);
        let view = PacketView::parse(&frame);
        lines += &format!("{:<9} {view}\n", view.kind().to_string());
    }
    expect![[r#"
        control   ARP who has 10.0.2.2? tell 10.0.2.1
        control   ARP 10.0.2.2 is at 02:6e:73:00:02:00
        syn       TCP 10.0.2.1:33076 > 10.0.2.2:9 SYN seq 1678250918 len 0
        rst       TCP 10.0.2.2:9 > 10.0.2.1:33076 RST ACK seq 0 ack 1678250919 len 0
        synack    TCP 10.0.2.2:7000 > 10.0.2.1:49514 SYN ACK seq 2032212353 ack 1258309782 len 0
        ack       TCP 10.0.2.1:49514 > 10.0.2.2:7000 ACK seq 1258309782 ack 2032212354 len 0
        data      TCP 10.0.2.1:49514 > 10.0.2.2:7000 PSH ACK seq 1258309782 ack 2032212354 len 5
        fin       TCP 10.0.2.2:7000 > 10.0.2.1:49514 FIN ACK seq 2032212354 ack 1258309787 len 0
        syn       TCP [fd00:2::1]:60686 > [fd00:2::2]:9 SYN seq 2105338126 len 0
        rst       TCP [fd00:2::2]:9 > [fd00:2::1]:60686 RST ACK seq 0 ack 2105338127 len 0
        datagram  UDP 10.0.2.1:58067 > 10.0.2.2:53 len 2
        icmp      ICMP 10.0.2.2 > 10.0.2.1 port unreachable
        datagram  UDP [fd00:2::1]:35183 > [fd00:2::2]:53 len 2
        icmp      ICMPv6 fd00:2::2 > fd00:2::1 port unreachable
        fragment  IP 10.0.2.1 > 10.0.2.2 protocol 17 later fragment len 28
        datagram  UDP [fd00:2::1]:53427 > [fd00:2::2]:53 len 8
        fragment  IP fd00:2::1 > fd00:2::2 protocol 17 later fragment len 16
        control   ICMPv6 fd00:2::1 > ff02::1:ff00:2 neighbour solicitation
        control   ICMPv6 fe80::6e:73ff:fe00:200 > ff02::2 router solicitation
        control   ICMPv6 fe80::6e:73ff:fe00:100 > ff02::16 MLD report
        control   IP 10.0.2.1 > 224.0.0.22 protocol 2 len 16
    "#]]
    .assert_eq(&lines);
}

#[test]
fn control_traffic_is_recognised() {
    let control = |frame: &str| PacketView::parse(&hex(frame)).control();
    for frame in [ARP_REQUEST, ARP_REPLY, NEIGHBOUR_SOLICITATION] {
        assert_eq!(control(frame), Some(ControlKind::Neighbour));
    }
    for frame in [ROUTER_SOLICITATION, MLD_REPORT, IGMP_REPORT] {
        assert_eq!(control(frame), Some(ControlKind::Unsolicited));
    }
    for frame in [SYN, UDP, UDP6, PORT_UNREACHABLE, PORT_UNREACHABLE6, FRAGMENT, FRAGMENT6] {
        assert_eq!(control(frame), None);
    }
    // Duplicate address detection asks from `::`.
    let mut probe = hex(NEIGHBOUR_SOLICITATION);
    probe[22..38].fill(0);
    assert_eq!(PacketView::parse(&probe).control(), Some(ControlKind::Unsolicited));
}

#[test]
fn both_directions_are_one_flow() {
    let flow = |frame: &str| PacketView::parse(&hex(frame)).flow().unwrap();
    assert_eq!(flow(SYN_ACK), flow(DATA));
    assert_eq!(flow(SYN), flow(RST_TO_SYN));
    assert_eq!(flow(SYN6), flow(RST_TO_SYN6));
    assert_ne!(flow(SYN), flow(SYN6));
    assert!(PacketView::parse(&hex(ARP_REQUEST)).flow().is_none());
}

#[test]
fn vlan_tags_are_skipped() {
    let plain = hex(DATA);
    let mut tagged = plain[..12].to_vec();
    tagged.extend([0x88, 0xa8, 0, 7, 0x81, 0, 0, 5]);
    tagged.extend(&plain[12..]);
    let (view, inner) = (PacketView::parse(&tagged), PacketView::parse(&plain));
    assert_eq!((view.transport, view.kind()), (inner.transport, PacketKind::Data));
}

#[test]
fn padding_is_not_data() {
    let mut frame = hex(ACK);
    frame.resize(80, 0);
    assert_eq!(PacketView::parse(&frame).kind(), PacketKind::Ack);
}

/// Broken and short frames are read as far as they go, and never beyond.
#[test]
fn truncated_frames_are_parsed() {
    for frame in [ARP_REQUEST, DATA, SYN6, FRAGMENT6, MLD_REPORT, IGMP_REPORT, PORT_UNREACHABLE6] {
        let whole = hex(frame);
        for len in 0..=whole.len() {
            let mut short = whole[..len].to_vec();
            let _ = PacketView::parse(&short).to_string();
            for at in 12..len {
                let kept = std::mem::replace(&mut short[at], 0xff);
                let view = PacketView::parse(&short);
                if let Some(ip) = &view.ip {
                    assert!(ip.payload.start <= ip.payload.end && ip.payload.end <= len);
                }
                let _ = (view.kind(), view.flow(), view.to_string());
                short[at] = kept;
            }
        }
    }
}
