//! Conditions of well-known kinds of links.

use std::time::Duration;

use super::burst_loss::GilbertElliott;
use super::condition::Condition;
use super::jitter::Jitter;
use super::percent::Percent;
use super::rate::Rate;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// # Presets
///
/// Values are for one direction: the delay is half of the round-trip time in the source, and
/// the rate that of the download. A source says what was typical at its place and time. The
/// values do not change between releases.
impl Condition {
    /// Gigabit Ethernet with a switch: 1 Gbit/s (IEEE 802.3 clause 40), 100 µs.
    /// A frame of 1518 bytes takes 12 µs for each of two hops; the hosts add the rest.
    pub const LAN: Self = Self::new().delay(us(100)).rate(Rate::gbit(1));

    /// Wi-Fi at home: 40 Mbit/s, 1 ms, rarely much longer. The rate and the delay are those
    /// of Apple's Network Link Conditioner ("Wi-Fi", Additional Tools for Xcode: 40 Mbit/s
    /// down, 33 up, 1 ms, no loss). The link layer retransmits lost frames (IEEE 802.11);
    /// the long tail of the delay comes from there.
    pub const WIFI: Self =
        Self::new().delay(ms(1)).jitter(Jitter::pareto(ms(1))).rate(Rate::mbit(40));

    /// Crowded Wi-Fi: 2 Mbit/s, 10 ms and 15 ms more on average, loss in bursts (2 % in
    /// all). In a crowded wireless network, half of the TCP packets had more than 20 ms of
    /// delay on the radio hop alone, one in ten more than 100 ms (Pei et al., "WiFi can be
    /// the weakest link of round trip network latency in the wild", INFOCOM 2016). Rate and
    /// loss are our estimates.
    pub const HOTEL_WIFI: Self = Self::new()
        .delay(ms(10))
        .jitter(Jitter::pareto(ms(15)))
        .burst_loss(GilbertElliott::new(Percent::new(0.5), Percent::new(24.5)))
        .rate(Rate::mbit(2))
        .queue_limit(200);

    /// DSL: 1.5 Mbit/s, 50 ms of round-trip time (WebPageTest, `connectivity.ini.sample`,
    /// "DSL").
    pub const DSL: Self = Self::new().delay(ms(25)).rate(Rate::kbit(1500));

    /// 3G: 1.6 Mbit/s, 300 ms of round-trip time (WebPageTest, `connectivity.ini.sample`,
    /// "3G"), 10 ms of jitter and 0.5 % lost (the loss of Loadero's profile "3G").
    pub const THREE_G: Self = Self::new()
        .delay(ms(150))
        .jitter(Jitter::normal(ms(10)))
        .loss(Percent::new(0.5))
        .rate(Rate::kbit(1600));

    /// LTE: 12 Mbit/s, 70 ms of round-trip time (WebPageTest, `connectivity.ini.sample`,
    /// "LTE"), 5 ms of jitter and 0.2 % lost (Loadero's profile "4G").
    pub const LTE: Self = Self::new()
        .delay(ms(35))
        .jitter(Jitter::normal(ms(5)))
        .loss(Percent::new(0.2))
        .rate(Rate::mbit(12));

    /// 5G: 50 Mbit/s, 30 ms of round-trip time. Three in five mobile clients of a CDN have
    /// less than 50 Mbit/s, and only one in twenty regularly less than 20 ms (Rizvi,
    /// Heidemann and Plonka, "Third-Party Assessment of Mobile Performance in the 5G Era",
    /// 2025, arXiv:2507.18834). The jitter is our estimate.
    pub const FIVE_G: Self =
        Self::new().delay(ms(15)).jitter(Jitter::normal(ms(2))).rate(Rate::mbit(50));

    /// A geostationary satellite: 100 Mbit/s, 300 ms. One hop takes 239.6 to 279.0 ms
    /// at the speed of light (RFC 2488 §2). A commercial link of 100 Mbit/s had a round-trip
    /// time of at least 600 ms (Michel et al., "A First Look at Starlink Performance", IMC
    /// 2022).
    pub const SATELLITE_GEO: Self = Self::new().delay(ms(300)).rate(Rate::mbit(100));

    /// Satellites in a low orbit: 150 Mbit/s, 50 ms of round-trip time, half of the packets
    /// from 40 to 60 ms (Michel et al., as above, to European servers; Starlink promises 100
    /// to 200 Mbit/s). Short bursts of loss happen at handovers (Kassem et al., "A
    /// Browser-side View of Starlink Connectivity", IMC 2022). Their frequency is our
    /// estimate: half a per cent of all packets.
    pub const SATELLITE_LEO: Self = Self::new()
        .delay(ms(25))
        .jitter(Jitter::normal(ms(5)))
        .burst_loss(GilbertElliott::new(Percent::new(0.05), Percent::new(10.0)))
        .rate(Rate::mbit(150));

    /// All presets, with their words in the plan grammar.
    pub const PRESETS: [(&'static str, Self); 9] = [
        ("lan", Self::LAN),
        ("wifi", Self::WIFI),
        ("hotel-wifi", Self::HOTEL_WIFI),
        ("dsl", Self::DSL),
        ("3g", Self::THREE_G),
        ("lte", Self::LTE),
        ("5g", Self::FIVE_G),
        ("satellite-geo", Self::SATELLITE_GEO),
        ("satellite-leo", Self::SATELLITE_LEO),
    ];
}
