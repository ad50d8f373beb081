//! What ties a process to the telemetry that it is said to send, and what speaks against it.
//!
//! Each statement of a resource that procfs can check agrees with the process, contradicts it,
//! or is silent because one side says nothing. One contradiction is enough to leave a process
//! alone: ids are given again, and a resource is only what somebody sent.

use std::time::Duration;

use leakline_model::{Resource, Timestamp};

use super::find::Sighting;
use super::host::Candidate;
use super::options::system_property;

/// How much clocks that are set by hand or by NTP may part over the life of a process.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// How one statement of a resource compares with a process.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Evidence {
    /// It ties the two together.
    Agrees,
    /// One side says nothing.
    Silent,
    /// What the process does otherwise, for people; it reads on from `process 4711 (java)`.
    Contradicts(String),
}

/// Everything that can be compared, apart from what the search went by.
pub(super) fn compare(
    resource: &Resource,
    sighting: &Sighting,
    candidate: &Candidate,
) -> Vec<Evidence> {
    let mut evidence = vec![
        start(sighting, candidate),
        creation_time(resource, candidate),
        machine(resource, candidate),
        executable(resource, candidate),
        arguments(resource, candidate),
        command_line(resource, candidate),
    ];
    evidence.extend(settings(resource, candidate));
    evidence
}

/// A process that began after the telemetry did is another one, which got the same id. That it
/// began before ties nothing together: most processes did.
fn start(sighting: &Sighting, candidate: &Candidate) -> Evidence {
    let started = candidate.started;
    let after = |time: Timestamp| started.duration_since(time) > CLOCK_TOLERANCE;
    let (which, time) = if after(sighting.last_seen) {
        ("last", sighting.last_seen)
    } else if after(sighting.first_seen) {
        ("first", sighting.first_seen)
    } else {
        return Evidence::Silent;
    };
    Evidence::Contradicts(format!(
        "started at {started}, after the {which} data at {time}"
    ))
}

fn creation_time(resource: &Resource, candidate: &Candidate) -> Evidence {
    let stated = resource.get("process.creation.time");
    let Some(stated) = stated.and_then(|time| Timestamp::parse(time).ok()) else {
        return Evidence::Silent;
    };
    let started = candidate.started;
    let apart = started
        .duration_since(stated)
        .max(stated.duration_since(started));
    if apart <= CLOCK_TOLERANCE {
        Evidence::Agrees
    } else {
        Evidence::Contradicts(format!("started at {started}, not at {stated}"))
    }
}

/// Only one way round: a Python process may well have a JVM inside.
fn machine(resource: &Resource, candidate: &Candidate) -> Evidence {
    if is_java(resource) && candidate.is_jvm == Some(false) {
        Evidence::Contradicts("is no JVM".to_owned())
    } else {
        Evidence::Silent
    }
}

fn executable(resource: &Resource, candidate: &Candidate) -> Evidence {
    let Some(stated) = resource.get("process.executable.path") else {
        return Evidence::Silent;
    };
    match candidate.executables.as_slice() {
        [] => Evidence::Silent,
        names if names.iter().any(|name| name == stated) => Evidence::Agrees,
        [name, ..] => Evidence::Contradicts(format!("runs {name}, not {stated}")),
    }
}

/// `process.command_args`: first the executable as the SDK names it, then the arguments. The
/// values stay out of messages, for secrets are passed that way.
fn arguments(resource: &Resource, candidate: &Candidate) -> Evidence {
    let stated = resource
        .get("process.command_args")
        .and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
    let (Some(stated), Some((_, own))) = (stated, candidate.command_line.split_first()) else {
        return Evidence::Silent;
    };
    let (stated, own) = (comparable(&stated), comparable(own));
    let behind_the_executable = stated.get(1..).unwrap_or_default();
    if behind_the_executable == own {
        return Evidence::Agrees;
    }
    // SDKs in interpreters send what the interpreter made of the words
    let language = resource.get("telemetry.sdk.language");
    if matches!(
        language,
        Some("nodejs" | "python" | "ruby" | "php" | "erlang")
    ) {
        return Evidence::Silent;
    }
    Evidence::Contradicts("has other arguments than process.command_args".to_owned())
}

/// `process.command_line`, which the Java SDK makes from the options of the JVM wherever they
/// came from, but always ends with the words of the application.
fn command_line(resource: &Resource, candidate: &Candidate) -> Evidence {
    let stated = resource.get("process.command_line");
    let (Some(stated), Some((_, own))) = (stated, candidate.command_line.split_first()) else {
        return Evidence::Silent;
    };
    let (stated, own) = (legible(stated), comparable(own));
    let ends_with = |words: &str| {
        let before = stated.trim_end().strip_suffix(words.trim_end());
        before.is_some_and(|before| before.is_empty() || before.ends_with([' ', '/', '\\']))
    };
    let Some(last) = own.last() else {
        return Evidence::Silent;
    };
    if ends_with(&own.join(" ")) {
        Evidence::Agrees
    } else if is_java(resource)
        && !ends_with(last)
        // what a file of arguments says is not known
        && !own.iter().any(|word| word.starts_with('@'))
    {
        Evidence::Contradicts("has another command line than process.command_line".to_owned())
    } else {
        Evidence::Silent
    }
}

/// What the settings of its OpenTelemetry SDK say of the service, the instance and the pod.
fn settings(resource: &Resource, candidate: &Candidate) -> Vec<Evidence> {
    let settings = Settings::of(candidate);
    resource
        .attributes
        .iter()
        .filter(|(key, value)| {
            (key.starts_with("service.") || key.starts_with("k8s.")) && !value.is_empty()
        })
        .map(|(key, stated)| match settings.get(key) {
            None => Evidence::Silent,
            Some(own) if own == *stated && names_few(key) => Evidence::Agrees,
            Some(own) if own == *stated => Evidence::Silent,
            Some(own) => Evidence::Contradicts(format!("is set to send {key} {own}, not {stated}")),
        })
        .collect()
}

/// Whether processes that have the same value under `key` are of one kind. Many services of one
/// namespace have one version.
fn names_few(key: &str) -> bool {
    matches!(
        key,
        "service.name" | "service.instance.id" | "k8s.pod.name" | "k8s.pod.uid"
    )
}

/// The settings of an OpenTelemetry SDK as they can be seen from outside: system properties of
/// the JVM, then the environment.
struct Settings<'a> {
    service_name: Option<&'a str>,
    /// `key=value,key=value` with percent-encoded values, the ones that count first.
    attributes: Vec<&'a str>,
}

impl<'a> Settings<'a> {
    fn of(candidate: &'a Candidate) -> Self {
        let Candidate {
            environment,
            command_line,
            ..
        } = candidate;
        let property = |name: &str| system_property(environment, command_line, name);
        let variable = |name: &str| {
            environment
                .iter()
                .find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
        };
        let given = |value: Option<&'a str>| value.filter(|value| !value.trim().is_empty());
        Settings {
            service_name: given(property("otel.service.name"))
                .or_else(|| given(variable("OTEL_SERVICE_NAME"))),
            // a property replaces the variable, as with every setting
            attributes: given(property("otel.resource.attributes"))
                .or_else(|| given(variable("OTEL_RESOURCE_ATTRIBUTES")))
                .into_iter()
                .flat_map(|list| list.split(','))
                .collect(),
        }
    }

    fn get(&self, key: &str) -> Option<String> {
        if let ("service.name", Some(name)) = (key, self.service_name) {
            return Some(name.trim().to_owned());
        }
        self.attributes
            .iter()
            .filter_map(|attribute| attribute.split_once('='))
            .filter(|(name, _)| name.trim() == key)
            .map(|(_, value)| percent_decoded(value.trim()))
            // a reference that nobody replaced, as in a Kubernetes manifest
            .rfind(|value| !value.is_empty() && !value.contains("$("))
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after
            .get(..2)
            .filter(|code| byte == b'%' && code.iter().all(u8::is_ascii_hexdigit))
            .and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() {
            after.get(2..).unwrap_or_default()
        } else {
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn is_java(resource: &Resource) -> bool {
    match resource.get("telemetry.sdk.language") {
        Some(language) => language == "java",
        // `OpenJDK Runtime Environment`, `Java(TM) SE Runtime Environment`
        None => resource
            .get("process.runtime.name")
            .is_some_and(|name| name.contains("Runtime Environment")),
    }
}

/// Words without what an SDK may have read in another character set than the kernel keeps, and
/// without empty words, which procfs does not tell from the end.
fn comparable(words: &[String]) -> Vec<String> {
    let words = words.iter().map(|word| legible(word));
    words.filter(|word| !word.is_empty()).collect()
}

fn legible(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii() && *c != '?').collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Compares one attribute, sent by an SDK in `language`, with a process.
    fn check_in(
        language: &str,
        (key, value): (&str, &str),
        candidate: &Candidate,
        expected: Expect,
    ) {
        let resource = Resource::new([(key, value), ("telemetry.sdk.language", language)]);
        let sighting = Sighting {
            first_seen: Timestamp::MAX,
            last_seen: Timestamp::MAX,
        };
        let evidence = compare(&resource, &sighting, candidate);
        let mut telling = evidence
            .into_iter()
            .filter(|evidence| *evidence != Evidence::Silent);
        let text = telling.next().unwrap_or(Evidence::Silent);
        assert_eq!(telling.next(), None);
        expected.assert_eq(&format!("{text:?}"));
    }

    fn check(attribute: (&str, &str), candidate: &Candidate, expected: Expect) {
        check_in("java", attribute, candidate, expected);
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn run(command_line: &[&str]) -> Candidate {
        Candidate {
            command_line: words(command_line),
            ..Candidate::default()
        }
    }

    fn configured(environment: &[&str], command_line: &[&str]) -> Candidate {
        Candidate {
            environment: words(environment),
            ..run(command_line)
        }
    }

    #[test]
    fn arguments() {
        let stated = r#"["/jdk/bin/java","-Dname=M\u00fcller","-jar","a.jar"]"#;
        let check = |command_line: &[&str], expected| {
            let attribute = ("process.command_args", stated);
            check(attribute, &run(command_line), expected);
        };
        check(
            &["java", "-Dname=M??ller", "-jar", "a.jar"],
            expect!["Agrees"],
        );
        check(
            &["java", "-jar", "a.jar"],
            expect![[r#"Contradicts("has other arguments than process.command_args")"#]],
        );
        check(
            &["java", "-Dname=Maier", "-jar", "a.jar"],
            expect![[r#"Contradicts("has other arguments than process.command_args")"#]],
        );
        check(&[], expect!["Silent"]);
    }

    #[test]
    fn arguments_of_interpreters() {
        let node = run(&["node", "app.js", "x"]);
        let stated = r#"["/usr/bin/node","/srv/app.js","x"]"#;
        let attribute = ("process.command_args", stated);
        check_in("nodejs", attribute, &node, expect!["Silent"]);
        check_in(
            "go",
            attribute,
            &node,
            expect![[r#"Contradicts("has other arguments than process.command_args")"#]],
        );
        check_in(
            "go",
            ("process.command_args", "no list"),
            &node,
            expect!["Silent"],
        );
    }

    #[test]
    fn command_lines() {
        let check = |stated, command_line: &[&str], expected| {
            let attribute = ("process.command_line", stated);
            check(attribute, &run(command_line), expected);
        };
        let stated = "/jdk/jre/bin/java -Xmx1g -javaagent:otel.jar -jar a.jar 80";
        check(
            stated,
            &[
                "java",
                "-Xmx1g",
                "-javaagent:otel.jar",
                "-jar",
                "a.jar",
                "80",
            ],
            expect!["Agrees"],
        );
        // the agent is from JAVA_TOOL_OPTIONS
        check(
            stated,
            &["java", "-Xmx1g", "-jar", "a.jar", "80"],
            expect!["Silent"],
        );
        check(
            stated,
            &["java", "-Xmx1g", "-jar", "b.jar"],
            expect![[r#"Contradicts("has another command line than process.command_line")"#]],
        );
        check(stated, &["java", "@arguments"], expect!["Silent"]);
        check(
            "java a.Main",
            &["java", "Main"],
            expect![[r#"Contradicts("has another command line than process.command_line")"#]],
        );
    }

    #[test]
    fn settings() {
        let name = |candidate: &Candidate, expected| {
            check(("service.name", "orders"), candidate, expected);
        };
        name(
            &configured(&["OTEL_SERVICE_NAME=orders"], &[]),
            expect!["Agrees"],
        );
        name(
            &configured(&["OTEL_SERVICE_NAME=orders-2"], &[]),
            expect![[r#"Contradicts("is set to send service.name orders-2, not orders")"#]],
        );
        name(
            &configured(&["NAME=billing", "OTEL_SERVICE_NAME="], &[]),
            expect!["Silent"],
        );
        // a property outdoes a variable, and the name outdoes an attribute
        let variables = [
            "OTEL_SERVICE_NAME=billing",
            "OTEL_RESOURCE_ATTRIBUTES=service.name=x",
        ];
        name(
            &configured(&variables, &["java"]),
            expect![[r#"Contradicts("is set to send service.name billing, not orders")"#]],
        );
        name(
            &configured(&variables, &["java", "-Dotel.service.name=orders", "Main"]),
            expect!["Agrees"],
        );
        name(
            &configured(&variables, &["java", "Main", "-Dotel.service.name=orders"]),
            expect![[r#"Contradicts("is set to send service.name billing, not orders")"#]],
        );
        let options = "JAVA_TOOL_OPTIONS=-javaagent:otel.jar -Dotel.service.name=billing";
        name(
            &configured(&[options], &["java", "Main"]),
            expect![[r#"Contradicts("is set to send service.name billing, not orders")"#]],
        );

        let attributes = "OTEL_RESOURCE_ATTRIBUTES=service.instance.id=a%20b, k8s.pod.name=p1,team=x,service.version=$(V),k8s.namespace.name=n";
        let candidate = configured(&[attributes], &[]);
        check(
            ("service.instance.id", "a b"),
            &candidate,
            expect!["Agrees"],
        );
        check(
            ("service.instance.id", "c"),
            &candidate,
            expect![[r#"Contradicts("is set to send service.instance.id a b, not c")"#]],
        );
        check(
            ("k8s.pod.name", "p2"),
            &candidate,
            expect![[r#"Contradicts("is set to send k8s.pod.name p1, not p2")"#]],
        );
        check(("service.version", "1"), &candidate, expect!["Silent"]);
        check(("k8s.namespace.name", "n"), &candidate, expect!["Silent"]);
        check(
            ("k8s.namespace.name", "m"),
            &candidate,
            expect![[r#"Contradicts("is set to send k8s.namespace.name n, not m")"#]],
        );
        check(("team", "y"), &candidate, expect!["Silent"]);
    }

    #[test]
    fn machines() {
        let candidate = |is_jvm| Candidate {
            is_jvm,
            ..Candidate::default()
        };
        let any = ("x", "y");
        check(
            any,
            &candidate(Some(false)),
            expect![[r#"Contradicts("is no JVM")"#]],
        );
        check(any, &candidate(Some(true)), expect!["Silent"]);
        check(any, &candidate(None), expect!["Silent"]);
        check_in("python", any, &candidate(Some(true)), expect!["Silent"]);
        let runtime = Resource::new([("process.runtime.name", "OpenJDK Runtime Environment")]);
        assert!(is_java(&runtime));
    }

    #[test]
    fn executables() {
        let candidate = |names: &[&str]| Candidate {
            executables: words(names),
            ..Candidate::default()
        };
        let stated = ("process.executable.path", "/jdk/jre/bin/java");
        check(stated, &candidate(&[]), expect!["Silent"]);
        check(
            stated,
            &candidate(&["/jdk/bin/java", "/jdk/jre/bin/java"]),
            expect!["Agrees"],
        );
        check(
            stated,
            &candidate(&["/usr/bin/node"]),
            expect![[r#"Contradicts("runs /usr/bin/node, not /jdk/jre/bin/java")"#]],
        );
    }

    #[test]
    fn percent_encoding() {
        for (text, expected) in [("a%2Cb", "a,b"), ("100%", "100%"), ("%zz%4", "%zz%4")] {
            assert_eq!(percent_decoded(text), expected);
        }
    }
}
