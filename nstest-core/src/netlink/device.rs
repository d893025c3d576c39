//! A network interface as the object of a request.

use std::fmt;

/// A network interface, given by its index. The name is for error messages, if the caller
/// knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Device<'a> {
    pub(super) index: u32,
    name: Option<&'a str>,
}

impl From<u32> for Device<'_> {
    fn from(index: u32) -> Self {
        Self { index, name: None }
    }
}

impl<'a> From<(u32, &'a str)> for Device<'a> {
    fn from((index, name): (u32, &'a str)) -> Self {
        let name = Some(name);
        Self { index, name }
    }
}

impl fmt::Display for Device<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "interface #{}", self.index),
        }
    }
}
