//! What the runner orders of a test's network, and what it is told of it.

use super::Net;
use crate::error::{Code, Error, Result};
use crate::orders::{Findings, Orders};

impl Net {
    /// Follows the orders, when the first world of the test has been built.
    pub(crate) fn prepare(&self, orders: &Orders) -> Result<()> {
        let what = match orders {
            Orders { plan: Some(plan), .. } => format!("apply the plan `{plan}`"),
            Orders { census: true, .. } => "look for points at which to inject a fault".to_owned(),
            _ => return Ok(()),
        };
        Err(Error::new(Code::Config, what).source("networks of this version inject no faults yet"))
    }

    /// What there is to tell of the network, when the body of the test has ended.
    pub(crate) fn findings(&self) -> Findings {
        Findings::default()
    }
}
