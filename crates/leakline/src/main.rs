//! The command line of Leakline: one binary with everything.
//!
//! Two stages: [`args`] says what was typed, the module of each command resolves it and does it.
//! Exit status: 0 done; 1 done and a leak was found (only with `--fail-on-leak`); 2 bad usage or
//! input; 3 refused by a safety guard.

#![allow(
    unreachable_pub,
    reason = "nothing outside a binary can reach anything in it"
)]

mod analyze;
mod args;
mod byte_size;
mod capture;
mod demo;
mod detect;
mod dumps;
mod duration;
mod heap;
mod index;
mod investigate;
mod output;
mod progress;
mod redact;
mod serve;
mod settings;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};

/// How a command ended, when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// Done; a leak was found, and the caller asked to be told by the exit status.
    LeakFound,
    /// A safety guard refused; the reason has been said.
    Refused,
}

fn main() -> ExitCode {
    // clap prints help and usage errors itself, and ends with status 2 on the latter
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Analyze(arguments) => analyze::run(arguments),
        Command::Heap(arguments) => heap::run(arguments),
        Command::Redact(arguments) => redact::run(arguments),
        Command::Detect(arguments) => detect::run(arguments),
        Command::Investigate(arguments) => investigate::run(arguments),
        Command::Capture(arguments) => capture::run(arguments),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::LeakFound) => ExitCode::from(1),
        Ok(Outcome::Refused) => ExitCode::from(3),
        Err(error) => {
            output::complain(&message(&error));
            ExitCode::from(2)
        }
    }
}

/// The error and its causes on one line; a cause that its effect has quoted is not said again.
fn message(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .fold(String::new(), |message, cause| match message.as_str() {
            "" => cause,
            message if message.contains(&cause) => message.to_owned(),
            message => format!("{message}: {cause}"),
        })
}
