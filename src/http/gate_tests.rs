//! Tests of `gate.rs`.
