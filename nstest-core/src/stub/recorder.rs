//! The recorder where there are no network namespaces: it records nothing.

use crate::evidence::timeline::TimelineEvent;

pub(crate) fn record(_: impl FnOnce() -> Vec<TimelineEvent>) {}
