//! Locks of the standard library without poisoning.
//!
//! A mutex is poisoned when a thread panics while it holds it. In a test harness
//! panics are ordinary (an assertion fails), and the data behind our locks stays
//! consistent: each critical section makes one complete change. So poison is ignored.

use std::sync::{LockResult, Mutex, MutexGuard, PoisonError};

/// Locks `mutex`, also if another thread panicked while it held it.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    ignore_poison(mutex.lock())
}

/// What locking, [`Mutex::into_inner`] or waiting on a `Condvar` returns, poisoned
/// or not.
pub(crate) fn ignore_poison<T>(result: LockResult<T>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}
