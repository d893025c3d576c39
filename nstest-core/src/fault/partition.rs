//! Partitions: which nodes of a network cannot reach each other.

use std::collections::BTreeSet;
use std::fmt;

use crate::error::{Error, ErrorCode};

/// A partition of a network: groups of nodes, by name.
///
/// Two nodes can reach each other if they are in one group. A node that is in two groups
/// reaches both. Nodes in no group are not affected. In a one-way partition, packets from
/// the first group to the second are dropped.
///
/// ```
/// use nstest::Partition;
///
/// let ring = Partition::new([vec!["a", "b"], vec!["b", "c"], vec!["c", "d"], vec!["d", "a"]])?;
/// assert!(ring.lets("a", "b") && !ring.lets("a", "c"));
///
/// let deaf = Partition::one_way(["a"], ["b", "c"])?;
/// assert!(!deaf.lets("a", "b") && deaf.lets("b", "a"));
/// # Ok::<(), nstest::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Partition {
    pub(crate) groups: Vec<Vec<String>>,
    pub(crate) is_one_way: bool,
}

impl Partition {
    /// Separates these groups from each other.
    ///
    /// # Errors
    /// `fault`, if no two nodes would be separated, or a group is empty.
    pub fn new<G, N>(groups: impl IntoIterator<Item = G>) -> Result<Self, Error>
    where
        G: IntoIterator<Item = N>,
        N: Into<String>,
    {
        let groups = groups.into_iter().map(|group| group.into_iter().map(Into::into).collect());
        Self { groups: groups.collect(), is_one_way: false }.checked()
    }

    /// Drops packets from the first group to the second, and lets those back pass.
    ///
    /// # Errors
    /// `fault`, if a group is empty, or a node is in both.
    pub fn one_way<N: Into<String>>(
        from: impl IntoIterator<Item = N>,
        to: impl IntoIterator<Item = N>,
    ) -> Result<Self, Error> {
        let from = from.into_iter().map(Into::into).collect();
        let to = to.into_iter().map(Into::into).collect();
        Self { groups: vec![from, to], is_one_way: true }.checked()
    }

    /// The partition, if it separates anything.
    pub(super) fn checked(self) -> Result<Self, Error> {
        match self.problem() {
            None => Ok(self),
            Some(why) => Err(Error::new(ErrorCode::Fault, format!("use the {self}"))
                .source(why)
                .help("name at least two groups with different nodes, as in `partition a | b c`")),
        }
    }

    /// Why it is not a partition.
    pub(super) fn problem(&self) -> Option<String> {
        if self.groups.len() < 2 {
            return Some("there is only one group".to_owned());
        }
        if self.groups.iter().any(Vec::is_empty) {
            return Some("a group is empty".to_owned());
        }
        if self.is_one_way {
            let both = self.groups[0].iter().find(|name| self.groups[1].contains(name))?;
            return Some(format!("`{both}` is in both groups"));
        }
        let nodes = self.nodes();
        let apart = nodes.iter().any(|a| nodes.iter().any(|b| !self.lets(a, b)));
        (!apart).then(|| "it separates no two nodes: each pair is in one group".to_owned())
    }

    /// The nodes that it names.
    pub(crate) fn nodes(&self) -> BTreeSet<&str> {
        self.groups.iter().flatten().map(String::as_str).collect()
    }

    /// Whether it lets packets pass from one node to another.
    #[must_use]
    pub fn lets(&self, from: &str, to: &str) -> bool {
        let has = |group: &[String], name: &str| group.iter().any(|node| node == name);
        if self.is_one_way {
            return !(has(&self.groups[0], from) && has(&self.groups[1], to));
        }
        let concerned = |name| self.groups.iter().any(|group| has(group, name));
        !(concerned(from) && concerned(to))
            || from == to
            || self.groups.iter().any(|group| has(group, from) && has(group, to))
    }

    /// The nodes from which no packet reaches `node`.
    pub(crate) fn cut_off_from(&self, node: &str) -> BTreeSet<&str> {
        self.nodes().into_iter().filter(|other| !self.lets(other, node)).collect()
    }

    /// The nodes that no packet from `node` reaches.
    pub(crate) fn out_of_reach_of(&self, node: &str) -> BTreeSet<&str> {
        self.nodes().into_iter().filter(|other| !self.lets(node, other)).collect()
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<String> = self.groups.iter().map(|group| group.join(" ")).collect();
        let between = if self.is_one_way { " > " } else { " | " };
        write!(f, "partition {}", groups.join(between))
    }
}
