//! Tests of `origin.rs`.
