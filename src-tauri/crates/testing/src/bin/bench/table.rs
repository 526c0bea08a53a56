//! The lines of the result.

use stallcast_testing::figures::{median, percentile};
use std::fmt;

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
    commands: Vec<(&'static str, String)>,
}

#[derive(Debug)]
struct Line {
    promise: &'static str,
    unit: &'static str,
    /// The percentile that is promised, and its bar; `None` for what is only reported.
    bar: Option<(f64, f64)>,
    values: Vec<f64>,
}

impl Line {
    fn kept(&self) -> bool {
        self.bar.is_none_or(|(p, bar)| !self.values.is_empty() && percentile(&self.values, p) <= bar)
    }
}

impl Table {
    /// A line whose `p`-th percentile must not be above `bar`.
    pub(crate) fn promise(&mut self, promise: &'static str, unit: &'static str, (p, bar): (f64, f64), values: Vec<f64>) {
        self.lines.push(Line { promise, unit, bar: Some((p, bar)), values });
    }

    /// A line for the reader.
    pub(crate) fn report(&mut self, what: &'static str, unit: &'static str, values: Vec<f64>) {
        self.lines.push(Line { promise: what, unit, bar: None, values });
    }

    /// How it was measured.
    pub(crate) fn command(&mut self, of: &'static str, text: impl Into<String>) {
        self.commands.push((of, text.into()));
    }

    /// Promises that were not kept.
    pub(crate) fn missed(&self) -> Vec<String> {
        let line = |l: &Line| format!("{} ({})", l.promise, l.bar.map_or(String::new(), |(p, bar)| format!("p{p:.0} ≤ {bar} {}", l.unit)));
        self.lines.iter().filter(|l| !l.kept()).map(line).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n| promise | bar | runs | p50 | p95 | most | kept |\n|---|---|---|---|---|---|---|")?;
        for line in &self.lines {
            let bar = match line.bar {
                Some((p, bar)) if p >= 100.0 => format!("≤ {bar} {}", line.unit),
                Some((p, bar)) => format!("p{p:.0} ≤ {bar} {}", line.unit),
                None => line.unit.to_owned(),
            };
            let digits = if line.unit == "ms" { 0 } else { 3 };
            let (p50, p95, most) = (median(&line.values), percentile(&line.values, 95.0), percentile(&line.values, 100.0));
            let kept = if line.bar.is_none() {
                "–"
            } else if line.kept() {
                "yes"
            } else {
                "**no**"
            };
            writeln!(
                f,
                "| {} | {bar} | {} | {p50:.digits$} | {p95:.digits$} | {most:.digits$} | {kept} |",
                line.promise,
                line.values.len()
            )?;
        }
        writeln!(f)?;
        for (of, command) in &self.commands {
            writeln!(f, "{of}: {command}")?;
        }
        Ok(())
    }
}
