//! Which trials a process makes.

/// Which trials a child makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trials {
    /// Those of `nstest run`.
    Run,
    /// The same, without a fault.
    RunNode,
    /// The same, without a node.
    RunWorld,
    /// None: it is the body of a program that has a node.
    Node,
    /// None: it is the body of a program that has a node and a fault.
    Fault,
    /// None: it is the program that `nstest run` starts.
    Nothing,
    /// On the machine.
    Outside,
    /// In the world of a test.
    Inside,
    /// Those of an uplink.
    Uplink,
}

impl Trials {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Run,
        Self::RunNode,
        Self::RunWorld,
        Self::Node,
        Self::Fault,
        Self::Nothing,
        Self::Outside,
        Self::Inside,
        Self::Uplink,
    ];

    /// The argument by which a process is asked for them.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::RunNode => "run-node",
            Self::RunWorld => "run-world",
            Self::Node => "node",
            Self::Fault => "fault",
            Self::Nothing => "nothing",
            Self::Outside => "outside",
            Self::Inside => "inside",
            Self::Uplink => "uplink",
        }
    }
}
