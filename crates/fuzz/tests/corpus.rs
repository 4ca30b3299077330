//! Every target on its corpus, without the fuzzer.

use std::fs;
use std::path::PathBuf;

#[test]
fn every_target_accepts_its_corpus() {
    for (name, target) in fuzz::TARGETS {
        let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut inputs = 0;
        for entry in fs::read_dir(&corpus).expect("a corpus for each target") {
            target(&fs::read(entry.expect("an entry").path()).expect("an input"));
            inputs += 1;
        }
        assert!(inputs > 0, "{name} has no seeds");
    }
}
