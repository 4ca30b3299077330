//! Formats an error and its causes as one line without repetitions. Many error types print their
//! cause in `Display` and return the same cause from `source`. `main` calls this for the message it
//! prints before the process exits.

use anyhow::Error;

/// Joins the messages of the cause chain and skips each message that an earlier part already
/// contains.
pub fn one_line(error: &Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if line.contains(cause.trim_end_matches('.')) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(cause.trim_end());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prints its cause and returns it from `source`, like most of Duet's own error types.
    #[derive(Debug)]
    struct Outer(std::io::Error);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "cannot open the database: {}", self.0)
        }
    }

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_repeated_cause_is_printed_once() {
        let cause = || std::io::Error::other("permission denied");
        let error = Error::new(Outer(cause())).context("the store cannot be used");
        assert_eq!(
            one_line(&error),
            "the store cannot be used: cannot open the database: permission denied"
        );
        assert_eq!(one_line(&Error::from(cause()).context("no")), "no: permission denied");
    }
}
