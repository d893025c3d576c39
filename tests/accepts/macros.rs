//! Tests that `macro_rules!` writes.
use nstest::{TestContext, netns_test};

macro_rules! from_pieces {
    ($(#[$meta:meta])* $name:ident, $time:literal, $ty:ty, $arg:ident, $text:literal, $body:block) => {
        $(#[$meta])*
        #[netns_test(timeout = $time)]
        #[should_panic(expected = $text)]
        fn $name($arg: $ty) $body
    };
}

from_pieces!(
    #[cfg(all())]
    pieces,
    "10s",
    TestContext,
    context,
    "pieces",
    {
        let _ = &context;
        panic!("pieces")
    }
);

macro_rules! from_item {
    ($item:item) => {
        #[netns_test]
        $item
    };
}

from_item! {
    fn item(context: TestContext) {
        let _ = &context;
    }
}

from_item! {
    #[should_panic(expected = "item")]
    async fn item_async(_context: TestContext) {
        panic!("item");
    }
}

macro_rules! from_signature {
    ($vis:vis fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty { $statement:stmt; $tail:expr }) => {
        #[netns_test]
        $vis fn $name($($arg: $ty),*) -> $ret {
            $statement;
            $tail
        }
    };
}

from_signature! {
    fn signature(context: TestContext, _other: TestContext) -> Result<(), std::fmt::Error> {
        let _ = &context; Ok(())
    }
}

macro_rules! tests {
    ($($name:ident)*) => {
        $(
            #[netns_test]
            async fn $name() {
                let fixtures = stringify!($name);
                assert!(!fixtures.is_empty());
            }
        )*
    };
}

tests!(one two three);
