//! Progress of long work, on standard error and only where a person watches.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that stays hidden unless standard error is a terminal.
#[derive(Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar for work that says how far it is, for example `reading heap.hprof`.
    pub fn bar(what: &str) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr_with_hz(10));
        // the template is a constant; should it ever be wrong, the default one does
        if let Ok(style) =
            ProgressStyle::with_template("{msg:<40} [{bar:30}] {percent:>3} %  {eta:>4} left")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        Progress(bar)
    }

    /// A spinner for work that cannot say how far it is.
    pub fn spinner(what: &str) -> Progress {
        let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            spinner.set_style(style);
        }
        spinner.set_message(what.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(100));
        Progress(spinner)
    }

    /// What is being done now, and how far it is, 0 to 1.
    pub fn set(&self, what: &str, share: f32) {
        if self.0.message() != what {
            self.0.set_message(what.to_owned());
        }
        self.0.set_position((share.clamp(0.0, 1.0) * 1000.0) as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
