//! Starting other programs: the command line is shown, a failure says which one it was.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Result;
use crate::workspace::root;

/// A longer value of an environment variable, such as a path, is cut when it is shown.
const LONGEST_VALUE: usize = 60;

/// A `cargo` command in the workspace root.
pub(crate) fn cargo<const N: usize>(args: [&str; N]) -> Command {
    tool("cargo", args)
}

/// A command in the workspace root.
pub(crate) fn tool<const N: usize>(program: &str, args: [&str; N]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// Shows the command, runs it with the terminal's own input and output, and wants success.
pub(crate) fn run(command: &mut Command) -> Result {
    eprintln!("$ {}", line(command));
    let status = command.status().map_err(|e| format!("cannot start `{}`: {e}", line(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed: {status}", line(command))) }
}

/// Runs the command silently and returns what it wrote to its output; errors carry its complaints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let done = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("cannot start `{}`: {e}", line(command)))?;
    if !done.status.success() {
        return Err(format!(
            "`{}` failed: {}\n{}",
            line(command),
            done.status,
            String::from_utf8_lossy(&done.stderr).trim_end()
        ));
    }
    String::from_utf8(done.stdout).map_err(|e| format!("`{}`: {e}", line(command)))
}

/// Whether a program of that name is on the path.
pub(crate) fn has(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|dir| is_executable(&dir.join(program)))
    })
}

/// An error that says how to get `program`, if it is not on the path.
pub(crate) fn need(program: &str, install: &str) -> Result {
    if has(program) {
        Ok(())
    } else {
        Err(format!("`{program}` is missing. Install it with: {install}"))
    }
}

fn is_executable(path: &Path) -> bool {
    path.is_file()
}

fn line(command: &Command) -> String {
    let set = command.get_envs().filter_map(|(name, value)| {
        let value = quoted(&value?.to_string_lossy());
        let shown: String = value.chars().take(LONGEST_VALUE).collect();
        let cut = if shown.len() < value.len() { "…" } else { "" };
        Some(format!("{}={shown}{cut}", name.to_string_lossy()))
    });
    let words = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| quoted(&word.to_string_lossy()));
    set.chain(words).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains([' ', '\'', '"', '$', '*']) {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_name_the_command() {
        let error = output(&mut tool("sh", ["-c", "echo no >&2; exit 3"])).unwrap_err();
        assert!(error.contains("sh -c 'echo no >&2; exit 3'") && error.contains("no"), "{error}");
        assert!(
            need("no-such-program-here", "apt-get install it").unwrap_err().contains("apt-get")
        );
    }
}
