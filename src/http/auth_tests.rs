//! Tests of `auth.rs`.
