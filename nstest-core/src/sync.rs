//! Locks of the standard library without poisoning.
//!
//! A mutex is poisoned when a thread panics while holding it. In a test harness panics are
//! common, since a failed assertion is one. The data behind our locks stays consistent,
//! because each critical section makes one complete change. So poison is ignored.

use std::sync::{LockResult, Mutex, MutexGuard, PoisonError};

/// Locks `mutex`, even if another thread panicked while holding it.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    ignore_poison(mutex.lock())
}

/// The value that locking, [`Mutex::into_inner`] or waiting on a `Condvar` returned,
/// whether poisoned or not.
pub(crate) fn ignore_poison<T>(result: LockResult<T>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}
