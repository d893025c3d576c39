//! Which attribute is expanded, and for which build of nstest.

/// The attribute that the user wrote.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryPoint {
    NetnsTest,
    Test,
    Netns,
}

impl EntryPoint {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NetnsTest => "netns_test",
            Self::Test => "nstest::test",
            Self::Netns => "netns",
        }
    }
}

/// How this crate was built.
#[derive(Clone, Copy)]
pub(crate) struct Build {
    /// The runtime has `run_async`.
    pub(crate) tokio: bool,
    /// A build for tests that stands for platforms without network namespaces.
    pub(crate) stub: bool,
}

impl Build {
    pub(crate) const THIS: Self = Self { tokio: cfg!(feature = "tokio"), stub: cfg!(nstest_stub) };
}
