//! Every target in one program, which `fuzz/run` builds: the environment names
//! the one that is run.
#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<String> = LazyLock::new(|| {
    std::env::var("CDSYNC_FUZZ_TARGET").expect("CDSYNC_FUZZ_TARGET names a folder of fuzz/corpus")
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| cdsync::fuzz::run(&TARGET, data));
