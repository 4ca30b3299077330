//! Reads the `DUET_*` environment variables: an empty variable counts as unset, and an unknown one
//! is logged. Called by `main` through [`crate::config::Config`].

use std::collections::BTreeSet;

use clap::Command;
use clap::builder::Resettable;

use crate::spelling::suggest;

const PREFIX: &str = "DUET_";
/// Variables of the build scripts.
const BUILD_VARIABLES: [&str; 2] = ["DUET_FEATURES", "DUET_TOOLS"];

/// Treats empty variables as unset, because an empty line in a settings file stands for the
/// default.
pub(crate) fn without_empty(command: Command) -> Command {
    let subcommands: Vec<String> =
        command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let command = command.mut_args(|argument| {
        let value = argument.get_env().and_then(std::env::var_os);
        match value {
            Some(value) if value.to_string_lossy().trim().is_empty() => {
                argument.env(Resettable::Reset)
            }
            _ => argument,
        }
    });
    subcommands
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, without_empty))
}

/// Logs a warning for each variable that no setting reads.
pub(crate) fn warn_of_unknown(command: &Command) {
    let set = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into(), value.to_string_lossy().into()));
    for (name, suggestion) in unknown(command, set) {
        match suggestion {
            Some(suggestion) => {
                tracing::warn!("unknown variable {name}; did you mean {suggestion}?");
            }
            None => {
                tracing::warn!("unknown variable {name}; `duet --help` lists the known variables");
            }
        }
    }
}

fn unknown(
    command: &Command,
    set: impl Iterator<Item = (String, String)>,
) -> Vec<(String, Option<String>)> {
    let mut known: BTreeSet<String> = BUILD_VARIABLES.map(str::to_owned).into();
    collect(command, &mut known);
    set.filter(|(name, value)| {
        name.starts_with(PREFIX) && !known.contains(name) && !is_set_by_kubernetes(name, value)
    })
    .map(|(name, _)| {
        let suggestion = suggest(&name, known.iter().map(String::as_str)).map(str::to_owned);
        (name, suggestion)
    })
    .collect()
}

fn collect(command: &Command, known: &mut BTreeSet<String>) {
    known.extend(
        command
            .get_arguments()
            .filter_map(|argument| Some(argument.get_env()?.to_string_lossy().into_owned())),
    );
    for command in command.get_subcommands() {
        collect(command, known);
    }
}

/// Kubernetes sets these variables for a service named "duet".
fn is_set_by_kubernetes(name: &str, value: &str) -> bool {
    name.starts_with("DUET_SERVICE_")
        || name.starts_with("DUET_PORT_")
        || (name == "DUET_PORT" && value.contains("://"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::Config;

    #[test]
    fn an_unknown_variable_gets_a_suggestion() {
        let set = [
            ("DUET_REGISTATION", "closed"),
            ("DUET_PORT", "80"),
            ("DUET_LISTEN", "127.0.0.1:1"),
            ("DUET_TOOLS", "/tmp"),
            ("DUET_SERVICE_HOST", "10.0.0.1"),
            ("DUET_PORT_3000_TCP", "tcp://10.0.0.1:3000"),
            ("HOME", "/root"),
        ];
        let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = unknown(&Config::command(), set.into_iter());
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["DUET_REGISTATION", "DUET_PORT"]);
        assert_eq!(found[0].1.as_deref(), Some("DUET_REGISTRATION"));
    }
}
