//! Units.

use expect_test::expect;

use super::*;
use crate::fault::condition::Condition;
use crate::fault::duration;
use crate::fault::percent::Percent;
use crate::fault::rate::Rate;

#[test]
fn percentages_are_from_0_to_100() {
    for value in [0.0, 0.000_000_1, 0.1, 2.5, 33.333_333_3, 100.0] {
        let percent = Percent::try_new(value).unwrap();
        assert_eq!(percent.to_string().parse::<Percent>().unwrap(), percent);
        assert!((percent.value() - value).abs() < 1e-9);
    }
    for value in [-1.0, 100.1, 101.0, f64::NAN, f64::INFINITY, 1e-12] {
        assert!(Percent::try_new(value).is_err(), "{value}");
    }
    assert_eq!(Percent::new(0.1).to_string(), "0.1%");
    assert_eq!("7".parse::<Percent>().unwrap(), Percent::new(7.0));
    expect![[r#"
        nstest[fault]: read the percentage `101%`
          cause: `101%` is more than 100%
          help: write a number from 0 to 100: `2.5%`
        nstest[fault]: use `-1` as a percentage
          help: write a number from 0 to 100: `2.5%`
    "#]]
    .assert_eq(&format!(
        "{:?}\n{:?}\n",
        "101%".parse::<Percent>().unwrap_err(),
        Percent::try_new(-1.0).unwrap_err()
    ));
    for text in ["", "%", "-1%", "1e2%", ".5%", "5.%", "1.00000001%", "99999999999999999999%"] {
        assert!(text.parse::<Percent>().is_err(), "{text}");
    }
}

#[test]
#[should_panic(expected = "a percentage is a number from 0 to 100")]
fn a_percentage_out_of_range_panics() {
    let _ = Percent::new(101.0);
}

#[test]
fn rates_are_whole_bits_per_second() {
    for (rate, text) in [
        (Rate::ZERO, "0bit"),
        (Rate::bit(500), "500bit"),
        (Rate::bit(1_600_000), "1600kbit"),
        (Rate::kbit(64), "64kbit"),
        (Rate::mbit(10), "10mbit"),
        (Rate::gbit(25), "25gbit"),
    ] {
        assert_eq!(rate.to_string(), text);
        assert_eq!(text.parse::<Rate>().unwrap(), rate);
    }
    assert_eq!("1.6Mbit".parse::<Rate>().unwrap(), Rate::kbit(1600));
    expect![[r#"
        nstest[fault]: read the rate `10mbps`
          cause: `10mbps` is not a rate
          help: write a number and a unit: `500bit`, `64kbit`, `1.6mbit`, `10gbit`
    "#]]
    .assert_eq(&format!("{:?}\n", "10mbps".parse::<Rate>().unwrap_err()));
    for text in ["", "mbit", "-1mbit", "0.5bit", "99999999999gbit", "10 m bit"] {
        assert!(text.parse::<Rate>().is_err(), "{text}");
    }
}

#[test]
#[should_panic(expected = "at most 64 bits")]
fn a_rate_of_too_many_bits_panics() {
    let _ = Rate::gbit(u64::MAX);
}

#[test]
fn times_are_whole_nanoseconds() {
    for (time, text) in [
        (Duration::ZERO, "0s"),
        (Duration::from_nanos(1), "1ns"),
        (Duration::from_micros(1500), "1500us"),
        (ms(40), "40ms"),
        (ms(61_000), "61s"),
        (ms(120_000), "2m"),
        (ms(7_200_000), "2h"),
    ] {
        assert_eq!(duration::text(time), text);
        assert_eq!(duration::read(text), Ok(time));
    }
    assert_eq!(duration::read("1.5s"), Ok(ms(1500)));
    assert_eq!(duration::read("0.25us"), Ok(Duration::from_nanos(250)));
    assert_eq!(duration::read("1m30s"), Ok(ms(90_000)));
    assert_eq!(duration::read("2min"), Ok(ms(120_000)));
    for text in ["", "5", "ms", "1.5ns", "-1s", "1d", "9999999999999h", "1ms1s", "1s1s", "1s1"] {
        assert!(duration::read(text).is_err(), "{text}");
    }
}

#[test]
fn presets_have_their_values() {
    let mut text = String::new();
    for (name, condition) in Condition::PRESETS {
        condition.check().unwrap();
        assert_eq!(name.parse::<Condition>().unwrap(), condition);
        assert_eq!(condition.to_string().parse::<Condition>().unwrap(), condition);
        text += &format!("{name}: {condition}\n");
    }
    expect![[r#"
        lan: delay 100us rate 1gbit
        wifi: delay 1ms jitter 1ms pareto rate 40mbit
        hotel-wifi: delay 10ms jitter 15ms pareto burst-loss 0.5% 24.5% rate 2mbit queue-limit 200
        dsl: delay 25ms rate 1500kbit
        3g: delay 150ms jitter 10ms normal loss 0.5% rate 1600kbit
        lte: delay 35ms jitter 5ms normal loss 0.2% rate 12mbit
        5g: delay 15ms jitter 2ms normal rate 50mbit
        satellite-geo: delay 300ms rate 100mbit
        satellite-leo: delay 25ms jitter 5ms normal burst-loss 0.05% 10% rate 150mbit
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_preset_can_be_changed() {
    let worse: Condition = "lte loss 5%".parse().unwrap();
    assert_eq!(worse, Condition::LTE.loss(Percent::new(5.0)));
}

#[test]
fn conditions_without_effect_are_refused() {
    let queue = Condition::new().queue_limit(10);
    let reorder = Condition::new().reorder(Percent::new(5.0));
    for condition in [queue, reorder] {
        assert_eq!(condition.check().unwrap_err().code().as_str(), "fault");
        assert!(condition.to_string().parse::<Condition>().is_err());
    }
    assert!(queue.rate(Rate::ZERO).check().is_ok());
}
