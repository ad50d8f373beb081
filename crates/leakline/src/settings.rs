//! Settings of `leakline serve`: flags, then `LEAKLINE_*` variables, then `leakline.toml`, then
//! defaults. clap has already folded variables into the flags; this folds in the rest.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use leakline_server::Settings;
use serde::Deserialize;

use crate::args::ServeArguments;
use crate::duration::{format_duration, parse_duration};

/// Where settings are looked for when no file is named.
const DEFAULT_FILE: &str = "leakline.toml";

/// `leakline.toml`: the same names as the flags, with underscores.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SettingsFile {
    otlp_grpc: Option<SocketAddr>,
    otlp_http: Option<SocketAddr>,
    api: Option<SocketAddr>,
    data: Option<PathBuf>,
    retention: Option<DurationText>,
    evaluation_interval: Option<DurationText>,
    capture: Option<bool>,
    capture_cooldown: Option<DurationText>,
    token: Option<String>,
    insecure: Option<bool>,
    record: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct DurationText(Duration);

impl TryFrom<String> for DurationText {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        parse_duration(&text).map(DurationText)
    }
}

/// The settings that result from the flags and the file that they name.
pub fn resolve(arguments: &ServeArguments) -> anyhow::Result<Settings> {
    let file = match &arguments.config {
        Some(path) => read(path)?,
        None if Path::new(DEFAULT_FILE).exists() => read(Path::new(DEFAULT_FILE))?,
        None => SettingsFile::default(),
    };
    Ok(merge(arguments, file))
}

fn read(path: &Path) -> anyhow::Result<SettingsFile> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text)
        .with_context(|| format!("{} is not a valid settings file", path.display()))
}

fn merge(arguments: &ServeArguments, file: SettingsFile) -> Settings {
    let default = Settings::default();
    let duration = |flag: Option<Duration>, file: Option<DurationText>, default| {
        flag.or(file.map(|text| text.0)).unwrap_or(default)
    };
    Settings {
        otlp_grpc: arguments
            .otlp_grpc
            .or(file.otlp_grpc)
            .unwrap_or(default.otlp_grpc),
        otlp_http: arguments
            .otlp_http
            .or(file.otlp_http)
            .unwrap_or(default.otlp_http),
        api: arguments.api.or(file.api).unwrap_or(default.api),
        data: arguments.data.clone().or(file.data).unwrap_or(default.data),
        retention: duration(arguments.retention, file.retention, default.retention),
        evaluation_interval: duration(
            arguments.evaluation_interval,
            file.evaluation_interval,
            default.evaluation_interval,
        ),
        capture: arguments
            .capture
            .or(file.capture)
            .unwrap_or(default.capture),
        capture_cooldown: duration(
            arguments.capture_cooldown,
            file.capture_cooldown,
            default.capture_cooldown,
        ),
        request_limit: default.request_limit,
        // `LEAKLINE_TOKEN=` means none
        token: arguments
            .token
            .clone()
            .or(file.token)
            .filter(|token| !token.trim().is_empty()),
        insecure: arguments.insecure || file.insecure.unwrap_or(default.insecure),
        record: arguments.record.clone().or(file.record).or(default.record),
    }
}

/// All settings as a `leakline.toml` that would give them; the token is not shown.
pub fn print(settings: &Settings) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: Option<String>, meaning: &str| {
        text += &match value {
            Some(value) => format!("{:<36} # {meaning}\n", format!("{name} = {value}")),
            None => format!("{:<36} # {meaning}\n", format!("# {name} =")),
        };
    };
    let quoted = |value: String| Some(format!("{value:?}"));
    line(
        "otlp_grpc",
        quoted(settings.otlp_grpc.to_string()),
        "OTLP over gRPC",
    );
    line(
        "otlp_http",
        quoted(settings.otlp_http.to_string()),
        "OTLP over HTTP",
    );
    line("api", quoted(settings.api.to_string()), "API and web page");
    line(
        "data",
        quoted(settings.data.display().to_string()),
        "store, dumps, investigations",
    );
    line(
        "retention",
        quoted(format_duration(settings.retention)),
        "how long samples, spans and heap dumps are kept",
    );
    line(
        "evaluation_interval",
        quoted(format_duration(settings.evaluation_interval)),
        "how often verdicts are formed",
    );
    line(
        "capture",
        Some(settings.capture.to_string()),
        "whether heap dumps may be taken",
    );
    line(
        "capture_cooldown",
        quoted(format_duration(settings.capture_cooldown)),
        "between the dumps of two investigations of one service",
    );
    let token = settings
        .token
        .as_ref()
        .map(|_| "\"(set, not shown)\"".to_owned());
    line("token", token, "bearer token that every request must carry");
    line(
        "insecure",
        Some(settings.insecure.to_string()),
        "listen beyond loopback without a token",
    );
    let record = settings
        .record
        .as_ref()
        .map(|path| format!("{:?}", path.display().to_string()));
    line("record", record, "file that gets all that is received");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let file: SettingsFile =
            toml::from_str("retention = \"2d\"\napi = \"127.0.0.1:8000\"\ncapture = false")
                .unwrap();
        let flags = ServeArguments {
            api: Some("127.0.0.1:9000".parse().unwrap()),
            ..ServeArguments::default()
        };
        let settings = merge(&flags, file);
        assert_eq!(settings.api.port(), 9000);
        assert_eq!(settings.retention, Duration::from_secs(2 * 86_400));
        assert!(!settings.capture);
        assert_eq!(settings.otlp_grpc.port(), 4317);
    }

    #[test]
    fn printed_settings_can_be_read_again() {
        let printed = print(&Settings::default());
        let settings = merge(
            &ServeArguments::default(),
            toml::from_str(&printed).unwrap(),
        );
        assert_eq!(print(&settings), printed);
    }

    #[test]
    fn an_unknown_setting_is_named() {
        let error = toml::from_str::<SettingsFile>("retension = \"2d\"")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("retension") && error.contains("retention"),
            "{error}"
        );
    }
}
