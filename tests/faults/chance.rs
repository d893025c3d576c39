//! Random decisions have their distributions, in a network.
//!
//! They follow from the seed, and the packets are the same each time, so the numbers of lost
//! packets do not vary between runs. Delays do: a loaded machine makes packets late. So the
//! tests here check that no packet is early, and that some are in time. The distribution of
//! delays is checked where they are drawn, in `nstest-core/src/fault/tests/chance.rs`.

use std::time::Duration;

use nstest::{
    Backend, Condition, GilbertElliott, Injection, Jitter, Net, Node, Percent, TestResult,
    netns_test,
};

use crate::stream::{Arrival, PATIENCE, Stream, both, in_time};

const DELAY: Duration = Duration::from_millis(60);

/// The numbers of the datagrams that did not arrive.
fn lost(stream: &Stream, sent: u32) -> Vec<u32> {
    let mut arrived = vec![false; sent as usize];
    for Arrival { number, .. } in stream.take() {
        arrived[number as usize] = true;
    }
    (0..sent).filter(|number| !arrived[*number as usize]).collect()
}

/// The lengths of runs of consecutive numbers.
fn runs(numbers: &[u32]) -> Vec<u32> {
    let mut runs = Vec::new();
    let mut before = None;
    for number in numbers {
        match (before, runs.last_mut()) {
            (Some(before), Some(run)) if before + 1 == *number => *run += 1,
            _ => runs.push(1),
        }
        before = Some(*number);
    }
    runs
}

fn lose(net: &Net, server: &Node, condition: Condition) -> TestResult<(Vec<u32>, Injection)> {
    let mut all = Vec::new();
    let lossy = server.link().ingress().condition(condition)?;
    assert_eq!(lossy.backends(), [Backend::Wire]);
    for ip in both(server) {
        let mut stream = Stream::open(&net.local(), server, ip, 0)?;
        stream.send_lossy(5_000, &lossy)?;
        let offset = all.len().min(1) as u32 * 10_000; // no run spans both streams
        all.extend(lost(&stream, 5_000).iter().map(|number| number + offset));
    }
    Ok((all, lossy))
}

#[netns_test]
fn losses_are_independent(server: Node, net: Net) -> TestResult {
    let (lost, lossy) = lose(&net, &server, Condition::new().loss(Percent::new(20.0)))?;
    // Three standard deviations: 120.
    assert!((1_880..2_120).contains(&lost.len()), "{} of 10,000", lost.len());
    assert_eq!(lossy.affected() as usize, lost.len());
    let runs = runs(&lost);
    let mean = lost.len() as f64 / runs.len() as f64;
    assert!((mean - 1.25).abs() < 0.05, "runs of {mean}, not of 1 / (1 - 20 %)");
    Ok(())
}

#[netns_test]
fn losses_come_in_bursts(server: Node, net: Net) -> TestResult {
    let bursts = GilbertElliott::new(Percent::new(1.0), Percent::new(20.0));
    let (lost, _) = lose(&net, &server, Condition::new().burst_loss(bursts))?;
    // 1 / 21 of all, in runs of 5: 95 runs, with a standard deviation of 10.
    assert!((330..620).contains(&lost.len()), "{} of 10,000", lost.len());
    let runs = runs(&lost);
    let mean = lost.len() as f64 / runs.len() as f64;
    assert!((65..125).contains(&runs.len()), "{} bursts", runs.len());
    assert!((4.0..6.0).contains(&mean), "bursts of {mean}, not of 5");
    assert!(runs.iter().any(|run| *run > 10), "{runs:?}");
    Ok(())
}

/// The delays of a thousand packets, in ascending order. The fastest one is in time.
fn delays(net: &Net, server: &Node, jitter: Jitter) -> TestResult<Vec<Duration>> {
    let rough = server.link().ingress().condition(Condition::new().delay(DELAY).jitter(jitter))?;
    assert_eq!(rough.backends(), [Backend::Wire]);
    let mut stream = Stream::open(&net.local(), server, server.ip(), 0)?;
    stream.send_many(1_000, |sent, arrived| sent == arrived)?;
    assert_eq!(rough.affected(), 1_000);
    let mut delays: Vec<Duration> = stream.take().iter().map(|arrival| arrival.took).collect();
    delays.sort_unstable();
    let mut fastest = delays[0];
    in_time(|| {
        if fastest >= DELAY + Duration::from_millis(10) {
            stream.send_many(1, |sent, arrived| sent == arrived)?;
            fastest = stream.take()[0].took;
            return Ok(false);
        }
        Ok(true)
    })?;
    rough.end()?;
    Ok(delays)
}

/// Asserts that at least this many of a thousand packets took at least this many milliseconds.
#[track_caller]
fn assert_not_early(delays: &[Duration], quantiles: &[(usize, f64)]) {
    for (index, least) in quantiles {
        let found = delays[*index].as_secs_f64() * 1e3;
        assert!(found > *least, "packet {index} of {}: {found} ms, not {least}", delays.len());
    }
}

#[netns_test]
fn no_packet_is_earlier_than_its_jitter(server: Node, net: Net) -> TestResult {
    net.local().wait_reachable(server.ip())?;
    let ten = Duration::from_millis(10);
    let mean = |delays: &[Duration]| {
        delays.iter().map(Duration::as_secs_f64).sum::<f64>() * 1e3 / delays.len() as f64
    };

    // From 50 to 70 ms.
    let uniform = delays(&net, &server, Jitter::uniform(ten))?;
    assert!(uniform[0] >= Duration::from_millis(50), "{:?}", uniform[0]);
    assert!(mean(&uniform) >= 59.0, "{}", mean(&uniform));
    assert_not_early(&uniform, &[(100, 51.0), (500, 59.0), (900, 67.0)]);

    // Φ⁻¹: one deviation below, none, one above, two above.
    let normal = delays(&net, &server, Jitter::normal(ten))?;
    assert!(mean(&normal) >= 59.0, "{}", mean(&normal));
    assert_not_early(&normal, &[(159, 48.0), (500, 58.0), (841, 68.0), (977, 78.0)]);

    // All above the delay; half above 2 (∛2 - 1) means, and one in a hundred far above.
    let pareto = delays(&net, &server, Jitter::pareto(ten))?;
    assert!(pareto[0] >= DELAY, "{:?}", pareto[0]);
    assert!(mean(&pareto) >= 68.5, "{}", mean(&pareto));
    assert_not_early(&pareto, &[(500, 64.5), (990, 110.0)]);
    Ok(())
}

/// Packets arrive over the link of each preset, and none is early.
#[netns_test]
fn presets_carry_packets(server: Node, net: Net) -> TestResult {
    net.local().wait_reachable(server.ip())?;
    for (name, preset) in Condition::PRESETS {
        let injection = server.link().condition(preset)?;
        let mut stream = Stream::open(&net.local(), &server, server.ip(), 0)?;
        for _ in 0..20 {
            stream.send()?;
        }
        nstest::eventually(PATIENCE, || stream.arrived() >= 10)?;
        let fastest = stream.take().iter().map(|arrival| arrival.took).min();
        let delay = delay_of(preset);
        println!("{name}: {fastest:?}, by {:?}", injection.backends());
        // The jitter of the normal presets stays below half of the delay.
        let soonest = if preset.to_string().contains("normal") { delay / 2 } else { delay };
        assert!(fastest.is_some_and(|fastest| fastest >= soonest), "{name}: {fastest:?}");
        assert!(injection.affected() >= 10, "{injection:?}");
        let again: Condition = name.parse()?;
        assert_eq!(again, preset);
    }
    server.link().condition(Condition::new())?.optional();
    Ok(())
}

/// The delay of a preset: the first part of its text.
fn delay_of(preset: Condition) -> Duration {
    let text = preset.to_string();
    let word = text.split(' ').nth(1).expect("a delay");
    match (word.strip_suffix("ms"), word.strip_suffix("us")) {
        (Some(ms), _) => Duration::from_millis(ms.parse().expect("a number")),
        (_, Some(us)) => Duration::from_micros(us.parse().expect("a number")),
        _ => panic!("{text}"),
    }
}
