//! Remote procedure calls.

mod shop;
mod tonic;
