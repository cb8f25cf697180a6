//! Tests of `client.rs`.
