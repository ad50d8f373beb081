//! `leakline capture`

use leakline_capture::{
    CancellationFlag, CaptureError, CaptureRequest, Capturer, Guards, Process, Progress as Phase,
};
use leakline_model::{ByteSize, duration_text};

use crate::args::CaptureArguments;
use crate::progress::{Progress, Step};
use crate::{Outcome, output, serve};

/// Takes one heap dump and says where it is.
pub fn run(arguments: &CaptureArguments) -> anyhow::Result<Outcome> {
    let cancellation = CancellationFlag::default();
    let on_signal = cancellation.clone();
    let runtime = serve::runtime()?;
    // interrupted, it still removes what the JVM has written so far
    runtime.spawn(async move {
        serve::asked_to_end().await;
        on_signal.cancel();
    });
    match capture(arguments, cancellation) {
        Ok(text) => {
            output::write(&text, None)?;
            Ok(Outcome::Done)
        }
        Err(CaptureError::Refused(refusal)) => {
            output::complain(&refusal.to_string());
            Ok(Outcome::Refused)
        }
        Err(error) => Err(error.into()),
    }
}

fn capture(
    arguments: &CaptureArguments,
    cancellation: CancellationFlag,
) -> Result<String, CaptureError> {
    let process = Process::open(arguments.pid)?;
    let capturer = Capturer::new(&arguments.output, Guards::default())?;
    let mut request = CaptureRequest::heap_dump(process);
    request.purpose = "asked for on the command line".to_owned();
    request.cancellation = cancellation;
    let bar = Progress::over(STEPS);
    let capture = capturer.capture(&request, &mut |phase| match phase {
        Phase::Dumping { bytes, expected } => bar.set("dumping", share(bytes, expected)),
        Phase::Copying { bytes, total } => bar.set("copying", share(bytes, total)),
        _ => bar.set("attaching", 0.0),
    })?;
    Ok(format!(
        "{} ({}, the JVM paused for at most {})\n",
        capture.path.display(),
        ByteSize(capture.bytes),
        duration_text(capture.pause),
    ))
}

/// The JVM writes the dump; it is copied when it could not be written where it is wanted.
const STEPS: &[Step] = &[
    Step::new("attaching", 1.0),
    Step::new("dumping", 70.0),
    Step::new("copying", 29.0),
];

fn share(done: u64, total: u64) -> f32 {
    if total == 0 {
        0.0
    } else {
        done as f32 / total as f32
    }
}
