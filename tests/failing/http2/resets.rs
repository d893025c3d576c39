//! Connections that are reset at a certain packet.

use nstest::{Action, Net, Node, Occurrence, PacketKind, Packets, TestResult, netns_test};

use super::{Client, Served};

#[netns_test]
async fn a_reset_during_all_streams_ends_all_of_them(
    server: Node,
    client: Node,
    net: Net,
) -> TestResult {
    let served = Served::start(&server).await?;
    let client = Client::new(&client)?;
    let mut last = client.get("/").await??;
    for _ in 0..3 {
        let requests = client.held();
        served.held.wait().await;
        let answers = server.link().egress().fault()?;
        let answers = answers.packets(Packets::tcp().sport(80).kind(PacketKind::Data));
        let reset = net.inject(answers.nth(1).action(Action::Reset))?;
        served.released.notify_waiters();
        for seen in requests.join_all().await {
            assert!(seen.unwrap_err().is_request());
        }
        assert!(reset.affected() > 0);
        let next = client.get("/").await??;
        assert_ne!(next, last);
        last = next;
        reset.end()?;
    }
    Ok(())
}

/// The packet can be the preface, settings, a request or an answer.
#[netns_test]
async fn a_reset_at_any_packet_fails_at_most_one_request(
    server: Node,
    client: Node,
    net: Net,
) -> TestResult {
    let _served = Served::start(&server).await?;
    for nth in 1..=12 {
        let fresh = Client::new(&client)?;
        let data = server.link().fault()?.packets(Packets::tcp().port(80).kind(PacketKind::Data));
        let reset = net.inject(data.nth(nth).action(Action::Reset))?;
        let mut failed = 0;
        let next = loop {
            // Checked before the request, which can end without reaching the reset.
            let hit = reset.affected() > 0;
            match fresh.get("/").await? {
                Err(_) => failed += 1,
                Ok(seen) if hit => break seen,
                Ok(_) => {}
            }
        };
        assert!(failed <= 1, "{failed} by packet {nth}");
        assert_eq!(next, fresh.get("/").await??, "packet {nth}");
        reset.end()?;
    }
    Ok(())
}

/// Without a connection there is no request to lose, and the name has two addresses.
#[netns_test]
async fn a_reset_of_the_first_segment_is_a_refusal(
    server: Node,
    client: Node,
    net: Net,
) -> TestResult {
    let _served = Served::start(&server).await?;
    let opens = server.link().fault()?.packets(Packets::tcp().dport(80).kind(PacketKind::Syn));
    let refused = net.inject(opens.occurrence(Occurrence::first(3)).action(Action::Reset))?;
    let fresh = Client::new(&client)?;
    let error = fresh.get("/").await?.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    assert_eq!(refused.affected(), 2);
    fresh.get("/").await??;
    assert_eq!(refused.affected(), 3);
    Ok(())
}
