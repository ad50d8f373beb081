//! Progress of long work, on standard error and only where a person watches.
//!
//! One bar covers the whole of a work, however many steps it has: it runs once from 0 to 100 %,
//! and what is left is told from the time that the part done has taken. That is right when the
//! steps' weights are, so they are measured.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// A bar that stays hidden unless standard error is a terminal and the work takes a while.
#[derive(Clone)]
pub struct Progress {
    bar: ProgressBar,
    course: Arc<Mutex<Course>>,
}

/// A step of a work.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What is done, in a word or two for people.
    pub name: &'static str,
    /// The time that it takes, compared with the other steps.
    pub weight: f32,
}

impl Step {
    /// A step with its weight.
    pub const fn new(name: &'static str, weight: f32) -> Step {
        Step { name, weight }
    }
}

/// How far the work is.
#[derive(Debug, Default)]
struct Course {
    steps: &'static [Step],
    /// By item that the same steps are done with: its part of the whole work.
    items: Vec<f32>,
    /// The item at work.
    item: usize,
    /// The first step that was done with it; a work may do without those before.
    first: Option<usize>,
    /// The most that was told.
    done: f32,
    /// Whether the bar was drawn, if there is anyone to see it.
    is_drawn: bool,
}

/// Work that takes less than this has no bar.
const PATIENCE: Duration = Duration::from_millis(400);

impl Progress {
    /// A bar for one item of work, done in these steps.
    pub fn over(steps: &'static [Step]) -> Progress {
        Progress::over_items(steps, &[1])
    }

    /// A bar for several items of work (files, say) of these sizes. The steps are done with each.
    pub fn over_items(steps: &'static [Step], sizes: &[u64]) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::hidden());
        // the template is a constant; should it ever be wrong, the default one does
        if let Ok(style) =
            ProgressStyle::with_template("{msg:<40} [{bar:30}] {percent:>3} %  {left}")
        {
            let left = |state: &ProgressState, text: &mut dyn Write| {
                // there is nobody to tell of an error
                let _ = text.write_str(&left(state.elapsed(), state.fraction()));
            };
            bar.set_style(style.progress_chars("=> ").with_key("left", left));
        }
        let whole: f32 = sizes.iter().map(|size| *size as f32).sum();
        let course = Course {
            steps,
            items: sizes.iter().map(|size| *size as f32 / whole).collect(),
            ..Course::default()
        };
        Progress {
            bar,
            course: Arc::new(Mutex::new(course)),
        }
    }

    /// A bar for a single step that says how far it is.
    pub fn bar(what: &str) -> Progress {
        let progress = Progress::over_items(&[], &[1]);
        progress.bar.set_message(what.to_owned());
        progress
    }

    /// A spinner for work that cannot say how far it is.
    pub fn spinner(what: &str) -> Progress {
        let bar = ProgressBar::with_draw_target(None, target());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress {
            bar,
            course: Arc::default(),
        }
    }

    /// The steps begin again, with the next item.
    pub fn start_item(&self, number: usize) {
        let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
        course.item = number;
        course.first = None;
    }

    /// What is being done now, and how far it is, 0 to 1.
    pub fn set(&self, step: &str, share: f32) {
        let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
        let done = course.advance(step, share);
        let message = course.message(step);
        let is_due = self.bar.elapsed() > PATIENCE;
        let is_first = is_due && !std::mem::replace(&mut course.is_drawn, is_due);
        drop(course);
        if is_first {
            self.bar.set_draw_target(target());
            // what is left is told anew even while nothing moves
            self.bar.enable_steady_tick(Duration::from_millis(500));
        }
        if self.bar.message() != message {
            self.bar.set_message(message);
        }
        self.bar.set_position((done * 1000.0) as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Draws nothing unless standard error is a terminal.
fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::stderr_with_hz(10)
}

impl Course {
    /// The part of the whole work that is done, 0 to 1; never less than before.
    fn advance(&mut self, step: &str, share: f32) -> f32 {
        let share = share.clamp(0.0, 1.0);
        let number = self.steps.iter().position(|known| known.name == step);
        let of_item = match number {
            None if self.steps.is_empty() => share,
            // more is done than was foreseen
            None => 0.0,
            Some(number) => {
                let first = *self.first.get_or_insert(number);
                let weight = |steps: &[Step]| steps.iter().map(|step| step.weight).sum::<f32>();
                let before = weight(self.steps.get(first..number).unwrap_or_default());
                let now = self.steps[number].weight * share;
                (before + now) / weight(&self.steps[first..])
            }
        };
        let before: f32 = self.items.iter().take(self.item).sum();
        let item = self.items.get(self.item).copied().unwrap_or(1.0);
        self.done = self.done.max(before + item * of_item).min(1.0);
        self.done
    }

    fn message(&self, step: &str) -> String {
        match self.items.len() {
            0 | 1 => step.to_owned(),
            items => format!("dump {} of {items}: {step}", self.item + 1),
        }
    }
}

/// Too little to tell from how long the rest will take.
const LEAST_TOLD_FROM: f32 = 0.03;

/// The time that is left, in words.
fn left(elapsed: Duration, done: f32) -> String {
    if done < LEAST_TOLD_FROM {
        return String::new();
    }
    let seconds = (elapsed.as_secs_f32() * (1.0 - done) / done).ceil() as u64;
    match seconds {
        0..=99 => format!("{seconds} s left"),
        100..=5999 => format!("{} min left", seconds.div_ceil(60)),
        _ => format!("{} h left", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const STEPS: &[Step] = &[
        Step::new("inflating", 2.0),
        Step::new("reading", 3.0),
        Step::new("judging", 1.0),
    ];

    fn check(sizes: &[u64], told: &[(usize, &str, f32)], expected: Expect) {
        let progress = Progress::over_items(STEPS, sizes);
        let mut lines = String::new();
        let mut item = 0;
        for (number, step, share) in told {
            if *number != item {
                progress.start_item(*number);
                item = *number;
            }
            progress.set(step, *share);
            let percent = progress.bar.position() as f32 / 10.0;
            writeln!(lines, "{}: {percent} %", progress.bar.message()).unwrap();
        }
        expected.assert_eq(&lines);
    }

    #[test]
    fn one_bar_over_all_steps() {
        check(
            &[7],
            &[
                (0, "inflating", 0.5),
                (0, "reading", 0.0),
                (0, "reading", 1.0),
                (0, "something else", 0.5),
                (0, "judging", 2.0),
            ],
            expect![[r#"
                inflating: 16.6 %
                reading: 33.3 %
                reading: 83.3 %
                something else: 83.3 %
                judging: 100 %
            "#]],
        );
    }

    #[test]
    fn steps_that_are_left_out_at_the_beginning_take_no_room() {
        check(
            &[7],
            &[
                (0, "reading", 0.5),
                (0, "reading", 0.2),
                (0, "judging", 0.0),
            ],
            expect![[r#"
                reading: 37.5 %
                reading: 37.5 %
                judging: 75 %
            "#]],
        );
    }

    #[test]
    fn several_dumps_by_their_sizes() {
        check(
            &[100, 300],
            &[
                (0, "reading", 1.0),
                (1, "inflating", 0.5),
                (1, "judging", 1.0),
            ],
            expect![[r#"
                dump 1 of 2: reading: 18.7 %
                dump 2 of 2: inflating: 37.5 %
                dump 2 of 2: judging: 100 %
            "#]],
        );
    }

    #[test]
    fn time_that_is_left() {
        let check = |elapsed: u64, done: f32, expected: &str| {
            assert_eq!(left(Duration::from_secs(elapsed), done), expected);
        };
        check(1, 0.01, "");
        check(10, 0.5, "10 s left");
        check(10, 1.0, "0 s left");
        check(60, 0.25, "3 min left");
        check(3600, 0.25, "3 h left");
    }
}
