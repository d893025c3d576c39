//! What is left to chance is distributed as it should be. It follows from the seed,
//! and the packets are the same each time: these numbers do not vary from run to run.

use std::time::Duration;

use nstest::{
    Backend, Condition, GilbertElliott, Injection, Jitter, Net, Node, Percent, TestResult,
    netns_test,
};

use crate::stream::{Arrival, PATIENCE, Stream, both, moments};

const DELAY: Duration = Duration::from_millis(60);

/// The numbers of those that are missing.
fn lost(stream: &Stream, sent: u32) -> Vec<u32> {
    let mut arrived = vec![false; sent as usize];
    for Arrival { number, .. } in stream.take() {
        arrived[number as usize] = true;
    }
    (0..sent).filter(|number| !arrived[*number as usize]).collect()
}

/// How many of them follow each other.
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
    for ip in both(server) {
        net.local().wait_reachable(ip)?; // no neighbour is asked for while all is lost
    }
    let lossy = server.link().ingress().condition(condition)?;
    assert_eq!(lossy.backends(), [Backend::Wire]);
    for ip in both(server) {
        let mut stream = Stream::open(&net.local(), server, ip, 0)?;
        stream.send_lossy(5_000, &lossy)?;
        let offset = all.len().min(1) as u32 * 10_000; // a run does not span both
        all.extend(lost(&stream, 5_000).iter().map(|number| number + offset));
    }
    Ok((all, lossy))
}

#[netns_test]
fn losses_are_independent(server: Node, net: Net) -> TestResult {
    let (lost, lossy) = lose(&net, &server, Condition::new().loss(Percent::new(20.0)))?;
    // Three standard deviations: 120.
    assert!((1_880..2_120).contains(&lost.len()), "{} of 10,000", lost.len());
    // Control that was lost counts as well.
    assert!((lossy.affected() as usize).abs_diff(lost.len()) <= 10, "{lossy:?}, {}", lost.len());
    let runs = runs(&lost);
    let mean = lost.len() as f64 / runs.len() as f64;
    assert!((mean - 1.25).abs() < 0.05, "runs of {mean}, and not of 1 / (1 - 20 %)");
    Ok(())
}

#[netns_test]
fn losses_come_in_bursts(server: Node, net: Net) -> TestResult {
    let bursts = GilbertElliott::new(Percent::new(1.0), Percent::new(20.0));
    let (lost, _) = lose(&net, &server, Condition::new().burst_loss(bursts))?;
    // 1 / 21 of all, in runs of 5: 95 of them, give or take 10.
    assert!((330..620).contains(&lost.len()), "{} of 10,000", lost.len());
    let runs = runs(&lost);
    let mean = lost.len() as f64 / runs.len() as f64;
    assert!((65..125).contains(&runs.len()), "{} bursts", runs.len());
    assert!((4.0..6.0).contains(&mean), "bursts of {mean}, and not of 5");
    assert!(runs.iter().any(|run| *run > 10), "{runs:?}");
    Ok(())
}

/// The delays of a thousand packets, each sent when the one before has been.
fn delays(net: &Net, server: &Node, jitter: Jitter) -> TestResult<Vec<Arrival>> {
    let rough = server.link().ingress().condition(Condition::new().delay(DELAY).jitter(jitter))?;
    assert_eq!(rough.backends(), [Backend::Wire]);
    let mut stream = Stream::open(&net.local(), server, server.ip(), 0)?;
    stream.send_many(1_000, |sent, arrived| sent == arrived)?;
    assert_eq!(rough.affected(), 1_000);
    rough.end()?;
    let mut arrivals = stream.take();
    arrivals.sort_by_key(|arrival| arrival.took);
    Ok(arrivals)
}

/// In milliseconds, that so many of a thousand are within.
fn quantile(arrivals: &[Arrival], place: usize) -> f64 {
    arrivals[place].took.as_secs_f64() * 1e3
}

#[netns_test]
fn jitter_is_distributed_as_it_says(server: Node, net: Net) -> TestResult {
    net.local().wait_reachable(server.ip())?;
    let ten = Duration::from_millis(10);

    // Between 50 and 70 ms, with a deviation of 20 / √12.
    let uniform = delays(&net, &server, Jitter::uniform(ten))?;
    let (mean, deviation) = moments(&uniform);
    println!("uniform {mean} {deviation}");
    assert!(uniform[0].took >= Duration::from_millis(50), "{:?}", uniform[0]);
    assert!((59.0..120.0).contains(&mean), "{mean}");
    assert!((5.5..60.0).contains(&deviation), "{deviation}");
    let tenths = [100, 500, 900].map(|place| quantile(&uniform, place));
    for (found, expected) in tenths.into_iter().zip([52.0, 60.0, 68.0]) {
        assert!(found > expected - 1.0 && found < expected + 60.0, "{tenths:?}");
    }

    let normal = delays(&net, &server, Jitter::normal(ten))?;
    let (mean, deviation) = moments(&normal);
    println!("normal {mean} {deviation}");
    assert!((59.0..120.0).contains(&mean), "{mean}");
    assert!((9.0..60.0).contains(&deviation), "{deviation}");
    // Φ⁻¹: one deviation below, none, one above, two above.
    let quantiles = [159, 500, 841, 977].map(|place| quantile(&normal, place));
    for (found, expected) in quantiles.into_iter().zip([50.0, 60.0, 70.0, 80.0]) {
        assert!(found > expected - 2.0 && found < expected + 60.0, "{quantiles:?}");
    }

    // All above the delay; half within 2 (∛2 - 1) means, and one in a hundred far out.
    let pareto = delays(&net, &server, Jitter::pareto(ten))?;
    let (mean, _) = moments(&pareto);
    println!("pareto {mean}");
    assert!(pareto[0].took >= DELAY, "{:?}", pareto[0]);
    assert!((68.5..130.0).contains(&mean), "{mean}");
    let quantiles = [500, 990].map(|place| quantile(&pareto, place));
    assert!(quantiles[0] > 64.5 && quantiles[0] < 120.0, "{quantiles:?}");
    assert!(quantiles[1] > 110.0, "{quantiles:?}");
    Ok(())
}

/// Every preset is a link over which packets come, not before their time.
#[netns_test]
fn presets_are_links(server: Node, net: Net) -> TestResult {
    net.local().wait_reachable(server.ip())?;
    for (name, preset) in Condition::PRESETS {
        let as_said = server.link().condition(preset)?;
        let mut stream = Stream::open(&net.local(), &server, server.ip(), 0)?;
        for _ in 0..20 {
            stream.send()?;
        }
        nstest::eventually(PATIENCE, || stream.arrived() >= 10)?;
        let fastest = stream.take().iter().map(|arrival| arrival.took).min();
        let delay = delay_of(preset);
        println!("{name}: {fastest:?}, by {:?}", as_said.backends());
        // Jitter is at most half of it in what is there.
        let soonest = if preset.to_string().contains("normal") { delay / 2 } else { delay };
        assert!(fastest.is_some_and(|fastest| fastest >= soonest), "{name}: {fastest:?}");
        assert!(as_said.affected() >= 10, "{as_said:?}");
        let again: Condition = name.parse()?;
        assert_eq!(again, preset);
    }
    server.link().condition(Condition::new())?.optional();
    Ok(())
}

/// As it is printed: every preset begins with it.
fn delay_of(preset: Condition) -> Duration {
    let text = preset.to_string();
    let word = text.split(' ').nth(1).expect("a delay");
    match (word.strip_suffix("ms"), word.strip_suffix("us")) {
        (Some(ms), _) => Duration::from_millis(ms.parse().expect("a number")),
        (_, Some(us)) => Duration::from_micros(us.parse().expect("a number")),
        _ => panic!("{text}"),
    }
}
