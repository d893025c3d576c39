use nstest::{TestContext, netns_test};

#[netns_test]
fn generic<T: Default>() {
    let _ = T::default();
}

#[netns_test]
fn lifetime<'a>() {}

#[netns_test]
fn constant<const N: usize>() {}

#[netns_test]
fn clause()
where
    u8: Copy,
{
}

#[netns_test]
const fn constant_fn() {}

#[netns_test]
unsafe fn unsafe_fn() {}

#[netns_test]
extern "C" fn extern_fn() {}

#[netns_test]
unsafe extern "C" fn variadic(_context: TestContext, _: ...) {}

#[netns_test]
fn reference(context: &TestContext, other: &mut TestContext) {
    let _ = (context, other);
}

#[netns_test]
fn opaque(_: impl Clone) {}

#[netns_test]
fn inferred(_: _) {}

#[netns_test]
fn twice(context: TestContext, context: TestContext) {}

struct Suite;

impl Suite {
    #[netns_test]
    fn method(&self) {
        let _ = self;
    }
}

fn main() {}
