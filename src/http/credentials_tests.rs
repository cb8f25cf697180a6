//! Tests of `credentials.rs`.
