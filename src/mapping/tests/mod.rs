//! Tests of the mapping: tables first, properties after.
