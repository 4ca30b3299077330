//! Checks that the built site belongs to this binary. Pages take the names of their style, script
//! and WASM files from the list of hashes that the build leaves beside the binary. With a wrong or
//! missing list, pages would load without those files. [`crate::run`] checks this once at start.

use std::path::Path;

use anyhow::{Result, bail};
use leptos::config::LeptosOptions;

use crate::HASHES;

/// Looks for the files that every page needs.
///
/// # Errors
/// Fails if such a file is missing. The message tells the operator what to install.
pub(crate) fn check(site: &Path, options: &LeptosOptions) -> Result<()> {
    let list = options.hash_files.then(|| {
        let binary = std::env::current_exe().unwrap_or_default();
        std::fs::read_to_string(binary.with_file_name(HASHES)).unwrap_or_default()
    });
    check_files(&site.join("pkg"), list.as_deref())
}

fn check_files(pkg: &Path, list: Option<&str>) -> Result<()> {
    let found = |names: &[String]| names.iter().any(|name| pkg.join(name).is_file());
    for names in required_files(list) {
        if found(&names) {
            continue;
        }
        let (missing, pkg) = (names.join(" or "), pkg.display());
        match list {
            Some(_) => bail!(
                "the site in {pkg} does not belong to this binary: {HASHES} beside the binary \
                 lists {missing}, which is missing. Install the binary, {HASHES} and the \
                 directory site from one build"
            ),
            None => bail!(
                "the site in {pkg} cannot be served: {missing} is missing, and {HASHES}, which \
                 lists the files of a built site, is not beside the binary. Install the binary, \
                 {HASHES} and the directory site from one build"
            ),
        }
    }
    Ok(())
}

/// Returns the files that every page needs. Each inner list contains alternatives, one of which
/// must exist.
fn required_files(list: Option<&str>) -> Vec<Vec<String>> {
    let hash = |kind: &str| {
        list?.lines().find_map(|line| {
            let (name, hash) = line.split_once(':')?;
            (name.trim() == kind).then(|| hash.trim())
        })
    };
    let mut names: Vec<Vec<String>> = ["css", "js"]
        .iter()
        .map(|kind| match hash(kind) {
            Some(hash) => vec![format!("duet.{hash}.{kind}")],
            None => vec![format!("duet.{kind}")],
        })
        .collect();
    names.push(match hash("wasm") {
        Some(hash) => vec![format!("duet.{hash}.wasm")],
        None => vec!["duet.wasm".to_owned(), "duet_bg.wasm".to_owned()],
    });
    // Lazily loaded code; a build may contain none.
    names.extend(hash("split").map(|hash| vec![format!("__wasm_split.{hash}.js")]));
    names.extend(hash("manifest").map(|hash| vec![format!("__wasm_split_manifest.{hash}.json")]));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(list: Option<&str>, files: &[&str]) -> Result<()> {
        let directory = tempfile::tempdir().expect("a directory");
        for file in files {
            std::fs::write(directory.path().join(file), "").expect("a file");
        }
        check_files(directory.path(), list)
    }

    #[test]
    fn a_site_of_another_build_or_without_its_list_is_refused() {
        let list = "js: AAA\nwasm: BBB\ncss: CCC\n";
        let hashed = ["duet.AAA.js", "duet.BBB.wasm", "duet.CCC.css"];
        let plain = ["duet.js", "duet_bg.wasm", "duet.css"];
        assert!(checked(Some(list), &hashed).is_ok());
        assert!(checked(None, &plain).is_ok());
        assert!(checked(None, &["duet.js", "duet.wasm", "duet.css"]).is_ok());
        for (list, files) in [
            (None, hashed.as_slice()),
            (None, &[]),
            (None, &plain[1..]),
            (Some(list), &plain),
            (Some(list), &hashed[1..]),
            (Some(list), &["duet.DDD.js", "duet.BBB.wasm", "duet.CCC.css"]),
            (Some("js: AAA\nwasm: BBB\ncss: CCC\nsplit: DDD\n"), &hashed),
        ] {
            let error = checked(list, files).expect_err("refused").to_string();
            assert!(error.contains("from one build") && error.contains(HASHES), "{error}");
        }
    }
}
