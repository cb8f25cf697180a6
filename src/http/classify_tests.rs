//! Tests of `classify.rs`.
