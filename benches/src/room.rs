//! A room in a process of its own: its suite, and questions to it over standard input and output.
//!
//! The rooms do not see each other's heap, a panic ends one room and not the run, criterion's prose
//! goes to a log, and `compare` asks the program of another revision the same questions.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::measure::{Effort, Measured, measure, run, unit};
use crate::paired::{Paired, paired};
use crate::suite::{Case, Fact, Series, Suite, Unit};
use crate::suites::SUITES;

/// Marks a line that is an answer, among criterion's.
const MARK: &str = "@edgekit ";
/// How long a missed target's two sides are measured in turns.
const AGAIN: Duration = Duration::from_secs(4);

/// What a room can be asked. Cases are named by their place in [`Declared::cases`].
#[derive(Debug, Serialize, Deserialize)]
enum Question {
    /// A [`Measured`].
    Measure(usize),
    /// The value of one run out of this many.
    Run(usize, u64),
    /// A [`Paired`] of two cases.
    Pair(usize, usize),
}

/// What a room has.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Declared {
    /// Ids and units of its cases.
    pub cases: Vec<(String, Unit)>,
    /// What it knows already.
    pub facts: Vec<Fact>,
    /// What it plots.
    pub series: Vec<Series>,
    /// Answers that were wrong.
    pub failures: Vec<(String, String)>,
    /// How many answers it checked.
    pub checked: usize,
}

/// What to ask a room for, as `edgekit-benches room` takes it from its arguments.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The long sweeps too.
    pub full: bool,
    /// Only ids that contain one of these.
    pub only: Vec<String>,
}

impl Wanted {
    /// An empty suite that keeps what is wanted.
    pub fn suite(&self) -> Suite {
        let suite = Suite::new(self.only.clone());
        if self.full { suite.full() } else { suite }
    }
}

/// The room's side: declares, then answers until its input ends.
///
/// # Errors
///
/// If there is no such room, or its input or output breaks.
pub fn serve(name: &str, wanted: &Wanted, criterion: &Path) -> Result<(), String> {
    let (_, declare) = SUITES
        .iter()
        .find(|(room, _)| *room == name)
        .ok_or_else(|| format!("there is no room {name}"))?;
    let mut suite = wanted.suite();
    declare(&mut suite);
    let (facts, odd): (Vec<Fact>, Vec<Fact>) =
        suite.facts.drain(..).partition(|fact| fact.value.is_finite());
    suite.facts = facts;
    suite.failures.extend(odd.into_iter().map(|fact| (fact.id, fact.value.to_string())));
    answer(&Declared {
        cases: suite.cases.iter().map(|case| (case.id.clone(), unit(case))).collect(),
        facts: suite.facts.clone(),
        series: suite.series.clone(),
        failures: suite.failures.clone(),
        checked: suite.checked,
    })?;
    let effort = if wanted.full { Effort::FULL } else { Effort::QUICK };
    for line in std::io::stdin().lines() {
        let line = line.map_err(|e| e.to_string())?;
        let question = serde_json::from_str(&line).map_err(|e| format!("{line}: {e}"))?;
        match question {
            Question::Measure(case) => answer(&measure(&mut suite.cases[case], effort, criterion)?),
            Question::Run(case, n) => answer(&run(&mut suite.cases[case], n)),
            Question::Pair(first, second) => answer(&pair(&mut suite.cases, first, second)?),
        }?;
    }
    Ok(())
}

fn pair(cases: &mut [Case], first: usize, second: usize) -> Result<Paired, String> {
    // Each half borrows the cases in its turn.
    let cases = std::cell::RefCell::new(cases);
    paired(
        &mut |n| Ok(run(&mut cases.borrow_mut()[first], n)),
        &mut |n| Ok(run(&mut cases.borrow_mut()[second], n)),
        AGAIN,
    )
}

fn answer(value: &impl Serialize) -> Result<(), String> {
    let json = serde_json::to_string(value).map_err(|e| e.to_string())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{MARK}{json}").and_then(|()| out.flush()).map_err(|e| e.to_string())
}

/// The driver's side: a running room.
pub struct Room {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    log: PathBuf,
    /// What it has.
    pub declared: Declared,
}

impl Room {
    /// Starts `program` as the room `name` and waits until it has declared. Its prose goes to `log`.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or dies while it declares; the end of its log says why.
    pub fn open(program: &Path, name: &str, wanted: &Wanted, log: &Path) -> Result<Room, String> {
        let prose = std::fs::File::create(log).map_err(|e| format!("{}: {e}", log.display()))?;
        let mut child = Command::new(program)
            .args(["room", name])
            .args(wanted.full.then_some("--full"))
            .args(wanted.only.iter().flat_map(|filter| ["--only", filter]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(prose)
            .spawn()
            .map_err(|e| format!("cannot start {}: {e}", program.display()))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a room without input or output".to_owned());
        };
        let mut room = Room {
            child,
            questions: Some(questions),
            answers: BufReader::new(answers),
            log: log.to_owned(),
            declared: Declared::default(),
        };
        room.declared = room.next_answer()?;
        Ok(room)
    }

    /// The place of a case among the declared ones.
    pub fn case(&self, id: &str) -> Option<usize> {
        self.declared.cases.iter().position(|(other, _)| other == id)
    }

    /// Measures one case.
    ///
    /// # Errors
    ///
    /// If the room dies of it.
    pub fn measure(&mut self, case: usize) -> Result<Measured, String> {
        self.ask(&Question::Measure(case))
    }

    /// Runs one case `n` times and returns its value for one of them.
    ///
    /// # Errors
    ///
    /// If the room dies of it.
    pub fn run(&mut self, case: usize, n: u64) -> Result<f64, String> {
        self.ask(&Question::Run(case, n))
    }

    /// Measures two cases in turns.
    ///
    /// # Errors
    ///
    /// If the room dies of it.
    pub fn pair(&mut self, first: usize, second: usize) -> Result<Paired, String> {
        self.ask(&Question::Pair(first, second))
    }

    fn ask<T: for<'a> Deserialize<'a>>(&mut self, question: &Question) -> Result<T, String> {
        let json = serde_json::to_string(question).map_err(|e| e.to_string())?;
        // A room that died is noticed at its missing answer, with its last words.
        let _ = self.questions.as_mut().map(|questions| writeln!(questions, "{json}"));
        self.next_answer()
    }

    fn next_answer<T: for<'a> Deserialize<'a>>(&mut self) -> Result<T, String> {
        let mut line = String::new();
        loop {
            line.clear();
            match self.answers.read_line(&mut line) {
                Ok(0) => return Err(self.last_words()),
                Ok(_) => {}
                Err(e) => return Err(e.to_string()),
            }
            if let Some(json) = line.strip_prefix(MARK) {
                return serde_json::from_str(json).map_err(|e| format!("{e} in {json}"));
            }
        }
    }

    fn last_words(&mut self) -> String {
        let status = self.child.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> =
            log.lines().filter(|line| !line.starts_with("Benchmarking ")).collect();
        let tail = lines[lines.len().saturating_sub(12)..].join("\n");
        format!("ended early ({status}), its last words:\n{tail}")
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // The end of its input ends the room.
        self.questions = None;
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_that_dies_leaves_its_last_words() {
        // The shell finds no script named `room`, and says so.
        let log = std::env::temp_dir().join(format!("edgekit-room-{}.log", std::process::id()));
        let died = Room::open(Path::new("sh"), "x", &Wanted::default(), &log).err().unwrap();
        std::fs::remove_file(&log).unwrap();
        assert!(died.contains("ended early") && died.contains("room"), "{died}");
    }

    #[test]
    fn there_is_no_room_of_another_name() {
        let unknown = serve("no-such", &Wanted::default(), Path::new("unused"));
        assert!(unknown.unwrap_err().contains("no-such"));
    }
}
