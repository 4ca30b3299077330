//! Runs the target that `DUET_FUZZ_TARGET` names under libFuzzer, whose options are the arguments.

#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<fuzz::Target> = LazyLock::new(|| {
    let name = std::env::var("DUET_FUZZ_TARGET").unwrap_or_default();
    fuzz::target(&name).unwrap_or_else(|| {
        let names = fuzz::TARGETS.map(|(name, _)| name).join(", ");
        panic!("DUET_FUZZ_TARGET is {name:?}, and must be one of: {names}")
    })
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET(input));
