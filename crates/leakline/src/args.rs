//! The command line as it is typed: parsed and checked, nothing opened yet.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use leakline_investigate::Form;

use crate::duration::parse_duration;

mod heap;

pub use heap::*;

/// Finds the memory leak in a running service, and the line of code behind it.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, arg_required_else_help = true, help_template = TEMPLATE)]
#[command(before_help = "\
Examples:
  leakline demo                          watch a leaking Java service being investigated
  leakline serve                         receive OTLP on 4317 and 4318, web page on 7171
  leakline analyze heap.hprof            what leaks in a heap dump
  leakline detect --replay metrics.jsonl who leaks, from recorded metrics")]
#[command(after_help = "\
Exit status:
  0  done            1  done, a leak was found (only with --fail-on-leak)
  2  bad usage or input    3  refused by a safety guard")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Examples first: they are what people look for.
const TEMPLATE: &str = "{about}\n\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Receive telemetry, judge services, take dumps, investigate
    Serve(Box<ServeArguments>),
    /// Run a leaking example service and watch the investigation
    Demo(DemoArguments),
    /// Say what leaks in a heap dump, or what grows over several
    Analyze(AnalyzeArguments),
    /// Look inside a heap dump: classes, objects, paths, threads, strings
    Heap(HeapArguments),
    /// Copy a heap dump without the values in it
    Redact(RedactArguments),
    /// Judge services from recorded metrics
    Detect(DetectArguments),
    /// Write the whole investigation from files
    Investigate(InvestigateArguments),
    /// Take one guarded heap dump of a running process
    Capture(CaptureArguments),
}

/// `leakline serve`
#[derive(Debug, Default, Args)]
#[command(help_template = TEMPLATE, before_help = "\
Examples:
  leakline serve
  leakline serve --data /var/lib/leakline --retention 30d
  leakline serve --otlp-grpc 0.0.0.0:4317 --token s3cret
  leakline serve --record run.jsonl      keep all that arrives, to replay it later
  leakline serve --print-config          every setting and where it comes from")]
pub struct ServeArguments {
    /// Where to receive OTLP over gRPC [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDRESS", env = "LEAKLINE_OTLP_GRPC")]
    pub otlp_grpc: Option<SocketAddr>,
    /// Where to receive OTLP over HTTP [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDRESS", env = "LEAKLINE_OTLP_HTTP")]
    pub otlp_http: Option<SocketAddr>,
    /// Where to serve the API and the web page [default: 127.0.0.1:7171]
    #[arg(long, value_name = "ADDRESS", env = "LEAKLINE_API")]
    pub api: Option<SocketAddr>,
    /// Folder of the store, the dumps and the investigations [default: leakline-data]
    #[arg(long, value_name = "DIR", env = "LEAKLINE_DATA")]
    pub data: Option<PathBuf>,
    /// How long samples, spans and heap dumps are kept [default: 14d]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, env = "LEAKLINE_RETENTION")]
    pub retention: Option<Duration>,
    /// How often verdicts are formed [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, env = "LEAKLINE_EVALUATION_INTERVAL")]
    pub evaluation_interval: Option<Duration>,
    /// Whether heap dumps may be taken [default: true]
    #[arg(long, value_name = "BOOL", env = "LEAKLINE_CAPTURE")]
    pub capture: Option<bool>,
    /// Shortest time between the dumps of two investigations of one service [default: 6h]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, env = "LEAKLINE_CAPTURE_COOLDOWN")]
    pub capture_cooldown: Option<Duration>,
    /// Bearer token that every request must carry
    #[arg(
        long,
        value_name = "TOKEN",
        env = "LEAKLINE_TOKEN",
        hide_env_values = true
    )]
    pub token: Option<String>,
    /// Allow listening beyond loopback without a token
    #[arg(long, env = "LEAKLINE_INSECURE")]
    pub insecure: bool,
    /// Write all that is received to FILE as OTLP JSON lines
    #[arg(long, value_name = "FILE", env = "LEAKLINE_RECORD")]
    pub record: Option<PathBuf>,
    /// Read settings from FILE [default: leakline.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "LEAKLINE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Print all settings as they would be used, and end
    #[arg(long)]
    pub print_config: bool,
}

/// `leakline demo`
#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "\
Examples:
  leakline demo                   the first runtime that is installed
  leakline demo java --healthy    the same service without the leak: no dump, no alarm
  leakline demo java -o run/      keep report, dumps and telemetry in run/")]
pub struct DemoArguments {
    /// The runtime; the first one that is installed when not given
    #[arg(value_enum)]
    pub runtime: Option<Runtime>,
    /// Run only the version without the leak
    #[arg(long)]
    pub healthy: bool,
    /// Form of the report on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Folder for the report, the dumps and the recorded telemetry
    #[arg(short, long, value_name = "DIR", default_value = "leakline-demo")]
    pub output: PathBuf,
}

/// Runtimes that have, or will have, an example service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Runtime {
    /// A Java service under the OpenTelemetry Java agent
    Java,
}

/// `leakline analyze`
#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "\
Examples:
  leakline analyze heap.hprof
  leakline analyze heap.hprof.gz --format html -o heap.html
  leakline analyze monday.hprof tuesday.hprof     oldest first: what grew
  leakline analyze heap.hprof#1                   the first of several dumps in one file
  leakline analyze heap.hprof --fail-on-leak      for CI: exit status 1 on a suspect")]
pub struct AnalyzeArguments {
    /// Heap dumps (HPROF, plain or gzip) of one process, oldest first; FILE#N is the Nth dump of a
    /// file that holds several
    #[arg(required = true, value_name = "DUMP")]
    pub dumps: Vec<PathBuf>,
    /// Which references hold memory
    #[arg(long, value_enum, default_value_t = ReferenceKinds::Strong)]
    pub references: ReferenceKinds,
    /// Whether to use and keep indexes
    #[command(flatten)]
    pub index: IndexArguments,
    /// How to write the report
    #[command(flatten)]
    pub report: ReportArguments,
}

/// Use of indexes.
#[derive(Debug, Args)]
pub struct IndexArguments {
    /// Keep an index beside the dump (DUMP.leakline-index), so that later looks open at once
    #[arg(long)]
    pub index: bool,
    /// Leave an index that is there alone
    #[arg(long, conflicts_with = "index")]
    pub no_index: bool,
}

/// Which references count as holding their referent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReferenceKinds {
    /// Only ordinary references: what the collector must keep
    Strong,
    /// Soft, weak, phantom and final references too, as Eclipse MAT counts
    All,
}

/// `leakline redact`
#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "\
Examples:
  leakline redact heap.hprof -o safe.hprof            same graph and sizes, no values
  leakline redact heap.hprof -o safe.hprof.gz         compressed
  leakline redact heap.hprof -o safe.hprof --hash-strings
                                                      equal strings stay recognisable as equal
  leakline redact heap.hprof -o safe.hprof --keep com.acme.Order.status --keep 'int[]'
                                                      but keep these values")]
pub struct RedactArguments {
    /// The heap dump (HPROF, plain or gzip)
    #[arg(value_name = "DUMP")]
    pub dump: PathBuf,
    /// Where to write the copy, readable by you alone; compressed if the name ends in .gz
    #[arg(short, long, value_name = "OUT", required = true)]
    pub output: PathBuf,
    /// Keep the values of these fields (com.acme.Order.status), of all fields of these classes
    /// (com.acme.Settings), or of these arrays (int[]); * stands for anything; may be given more
    /// than once
    #[arg(long, value_name = "FIELD-OR-CLASS")]
    pub keep: Vec<String>,
    /// Do not keep the names of threads either
    #[arg(long)]
    pub no_thread_names: bool,
    /// Replace the text of each string by digits of a keyed hash instead of zeros, as long as it
    #[arg(long)]
    pub hash_strings: bool,
    /// Key of the hash, to compare the strings of several copies; random when not given
    #[arg(
        long,
        value_name = "KEY",
        env = "LEAKLINE_HASH_KEY",
        hide_env_values = true
    )]
    pub hash_key: Option<String>,
}

/// `leakline detect`
#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "\
Examples:
  leakline detect metrics.jsonl                    the verdicts at the end of the data
  leakline detect --replay metrics.jsonl.zst       each change of verdict, as it would have come
  leakline detect --replay run.jsonl --service order-service --format json")]
pub struct DetectArguments {
    /// OTLP JSON lines as the Collector's file exporter writes them (plain, gzip or zstd)
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Judge in event time as the data came, and report every change of verdict
    #[arg(long)]
    pub replay: bool,
    /// Only this service
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// How to write the report
    #[command(flatten)]
    pub report: ReportArguments,
}

/// `leakline investigate`
#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "\
Examples:
  leakline investigate --metrics run.jsonl --traces run.jsonl --heap before.hprof --heap after.hprof
  leakline investigate --metrics run.jsonl --format html -o report.html")]
pub struct InvestigateArguments {
    /// OTLP JSON lines with metrics (plain, gzip or zstd); may be given more than once
    #[arg(long, required = true, value_name = "FILE")]
    pub metrics: Vec<PathBuf>,
    /// OTLP JSON lines with traces; may be the same file; may be given more than once
    #[arg(long, value_name = "FILE")]
    pub traces: Vec<PathBuf>,
    /// Heap dumps of the leaking process, oldest first
    #[arg(long, value_name = "DUMP")]
    pub heap: Vec<PathBuf>,
    /// The service; the worst one when not given
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// How to write the report
    #[command(flatten)]
    pub report: ReportArguments,
}

/// `leakline capture`
#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "\
Examples:
  leakline capture --pid 4711 -o dumps/      heap dump of a JVM, guarded and private")]
pub struct CaptureArguments {
    /// The process, as this machine numbers it
    #[arg(long, value_name = "PID")]
    pub pid: u32,
    /// Folder for the dump; created private if it is not there
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub output: PathBuf,
}

/// How a report is written.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Form of the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write the report to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// End with status 1 when a leak or suspect is found
    #[arg(long)]
    pub fail_on_leak: bool,
}

/// Forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal
    Text,
    /// For a ticket or a wiki
    Markdown,
    /// One self-contained page
    Html,
    /// For programs; versioned schema
    Json,
}

impl From<Format> for Form {
    fn from(format: Format) -> Form {
        match format {
            Format::Text => Form::Text,
            Format::Markdown => Form::Markdown,
            Format::Html => Form::Html,
            Format::Json => Form::Json,
        }
    }
}
