//! Parameters: patterns, attributes, and when their values are dropped.
use std::sync::atomic::{AtomicUsize, Ordering};

use nstest::{Fixture, FixtureContext, FixtureParam, NetworkSpec, Result, TestContext, netns_test};

/// Contains the name of its parameter.
struct Name(String);

impl Fixture for Name {
    type Plan = String;

    fn plan(_: &mut NetworkSpec, param: FixtureParam<'_>) -> Result<String> {
        Ok(param.name().to_owned())
    }

    fn setup(plan: String, _: &FixtureContext) -> Result<Self> {
        Ok(Self(plan))
    }
}

/// Contains the name of its parameter twice.
struct Pair(Name, Name);

impl Fixture for Pair {
    type Plan = String;

    fn plan(_: &mut NetworkSpec, param: FixtureParam<'_>) -> Result<String> {
        Ok(param.name().to_owned())
    }

    fn setup(plan: String, _: &FixtureContext) -> Result<Self> {
        Ok(Self(Name(plan.clone()), Name(plan)))
    }
}

#[netns_test]
fn names(a: Name, mut b: Name, ref c: Name, r#fn: Name, _e: Name, Name(inner): Name) {
    b.0.push('!');
    assert_eq!([&a.0, &b.0, &c.0, &r#fn.0, &_e.0, &inner], ["a", "b!", "c", "fn", "_e", "inner"]);
    drop(a);
}

#[netns_test]
async fn names_async(a: Name, mut b: Name, ref c: Name, r#fn: Name, _e: Name, Name(inner): Name) {
    b.0.push('!');
    std::future::ready(()).await;
    assert_eq!([&a.0, &b.0, &c.0, &r#fn.0, &_e.0, &inner], ["a", "b!", "c", "fn", "_e", "inner"]);
    drop(a);
}

#[netns_test]
fn patterns(Pair(x, y): Pair, Pair(one, _): Pair, _: TestContext) {
    assert_eq!([x.0, y.0, one.0], ["arg1", "arg1", "one"]);
}

#[netns_test]
fn conditional(
    #[cfg(not(test))] absent: DoesNotExist,
    #[cfg(test)] present: Name,
    #[cfg_attr(test, cfg(not(test)))] also_absent: DoesNotExist,
    #[allow(unused_variables)] unused: Name,
    #[expect(unused_variables)] expected: Name,
) {
    assert_eq!(present.0, "present");
}

#[netns_test]
async fn all_conditional_away(#[cfg(not(test))] absent: DoesNotExist) {}

#[netns_test]
fn two_of_one_type(first: Name, second: Name) {
    assert_eq!((first.0.as_str(), second.0.as_str()), ("first", "second"));
}

/// How many values of [`Counted`] are alive in this test.
static SYNC: AtomicUsize = AtomicUsize::new(0);
static ASYNC: AtomicUsize = AtomicUsize::new(0);

struct Counted<const ASYNCHRONOUS: bool>;

impl<const A: bool> Counted<A> {
    const fn counter() -> &'static AtomicUsize {
        if A { &ASYNC } else { &SYNC }
    }
}

impl<const A: bool> Drop for Counted<A> {
    fn drop(&mut self) {
        Self::counter().fetch_sub(1, Ordering::SeqCst);
    }
}

impl<const A: bool> Fixture for Counted<A> {
    type Plan = ();

    fn plan(_: &mut NetworkSpec, _: FixtureParam<'_>) -> Result<()> {
        Ok(())
    }

    fn setup((): (), _: &FixtureContext) -> Result<Self> {
        Self::counter().fetch_add(1, Ordering::SeqCst);
        Ok(Self)
    }
}

#[netns_test]
fn unnamed_parameters_live_to_the_end(_: Counted<false>, _x: Counted<false>) {
    assert_eq!(SYNC.load(Ordering::SeqCst), 2);
}

#[netns_test]
async fn unnamed_parameters_live_to_the_end_async(_: Counted<true>, _x: Counted<true>) {
    std::future::ready(()).await;
    assert_eq!(ASYNC.load(Ordering::SeqCst), 2);
}
