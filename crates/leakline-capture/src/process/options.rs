//! The options that a Java launcher hands to its virtual machine.

/// Options that take the next word as their value (`java --help`).
const WITH_VALUE: [&str; 14] = [
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--limit-modules",
    "--enable-native-access",
    "--add-reads",
    "--add-exports",
    "--add-opens",
    "--patch-module",
    "--source",
];

/// What follows them belongs to the application.
const LAST: [&str; 3] = ["-jar", "-m", "--module"];

/// The options of a JVM in the order in which they are taken, so that the last word counts.
///
/// The JVM takes `JAVA_TOOL_OPTIONS` first and `_JAVA_OPTIONS` last, and the launcher puts
/// `JDK_JAVA_OPTIONS` before the command line. `@argfiles` are not read, nor what follows them:
/// they may hold the name of the main class.
pub(super) fn jvm_options<'a>(
    environment: &'a [String],
    command_line: &'a [String],
) -> impl Iterator<Item = &'a str> {
    let variable = move |name: &'static str| {
        environment
            .iter()
            .filter_map(move |entry| entry.strip_prefix(name)?.strip_prefix('='))
            .flat_map(str::split_whitespace)
    };
    variable("JAVA_TOOL_OPTIONS")
        .chain(variable("JDK_JAVA_OPTIONS"))
        .chain(before_the_application(command_line))
        .chain(variable("_JAVA_OPTIONS"))
}

fn before_the_application(command_line: &[String]) -> impl Iterator<Item = &str> {
    let mut words = command_line.iter().skip(1).map(String::as_str);
    std::iter::from_fn(move || {
        let option = words
            .next()
            .filter(|word| word.starts_with('-') && !LAST.contains(word))?;
        if WITH_VALUE.contains(&option) {
            words.next();
        }
        Some(option)
    })
    .fuse()
}

/// The value of the system property `name`, as `-Dname=value` sets it.
pub(super) fn system_property<'a>(
    environment: &'a [String],
    command_line: &'a [String],
    name: &str,
) -> Option<&'a str> {
    jvm_options(environment, command_line)
        .filter_map(|option| {
            option
                .strip_prefix("-D")?
                .strip_prefix(name)?
                .strip_prefix('=')
        })
        .last()
}

/// Whether the last word is that attaching is off. Where an `@argfile` says it, the attempt
/// times out.
pub(super) fn disables_attach(environment: &[String], command_line: &[String]) -> bool {
    jvm_options(environment, command_line)
        .filter_map(|option| match option {
            "-XX:+DisableAttachMechanism" => Some(true),
            "-XX:-DisableAttachMechanism" => Some(false),
            _ => None,
        })
        .last()
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_last_word_on_attaching_counts() {
        let check = |environment: &[&str], command_line: &str, expected: bool| {
            assert_eq!(
                disables_attach(&owned(environment), &words(command_line)),
                expected,
                "{command_line:?}"
            );
        };
        check(&[], "java Main", false);
        check(&[], "java -XX:+DisableAttachMechanism Main", true);
        check(&[], "java -cp a.jar -XX:+DisableAttachMechanism Main", true);
        check(&[], "java Main -XX:+DisableAttachMechanism", false);
        check(&[], "java -jar a.jar -XX:+DisableAttachMechanism", false);
        let on = "JAVA_TOOL_OPTIONS=-Xmx1g -XX:+DisableAttachMechanism";
        check(&["A=b", on], "java Main", true);
        check(&[on], "java -XX:-DisableAttachMechanism Main", false);
        check(
            &[on, "_JAVA_OPTIONS=-XX:+DisableAttachMechanism"],
            "java -XX:-DisableAttachMechanism Main",
            true,
        );
        check(
            &["MY_JAVA_TOOL_OPTIONS=-XX:+DisableAttachMechanism"],
            "java Main",
            false,
        );
    }

    #[test]
    fn the_last_word_on_a_property_counts() {
        let check = |environment: &[&str], command_line: &str, expected: Option<&str>| {
            let (environment, command_line) = (owned(environment), words(command_line));
            let value = system_property(&environment, &command_line, "a.b");
            assert_eq!(value, expected, "{command_line:?}");
        };
        check(&[], "java -Da.b=1 -Da.bc=3 -Da.b=2 Main", Some("2"));
        check(&[], "java --add-opens -Da.b=1 Main -Da.b=2", None);
        check(&["JAVA_TOOL_OPTIONS=-Da.b=0"], "java Main", Some("0"));
    }
}
