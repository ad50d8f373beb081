//! Files of OTLP JSON lines: compression, framing, damage.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test may panic as the test itself"
)]

use std::io::{self, Read, Write as _};

use expect_test::{Expect, expect};
use flate2::Compression;
use flate2::write::GzEncoder;
use leakline_otlp::Translation;
use leakline_otlp::lines::Reader;

fn metrics(value: u64) -> String {
    format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m","gauge":{{"dataPoints":[{{"timeUnixNano":"1700000000000000000","asInt":"{value}"}}]}}}}]}}]}}]}}"#
    )
}

const SPANS: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"orders"}}]},"scopeSpans":[{"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","name":"process.order","kind":2,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000250000000"}]}]}]}"#;

const LOGS: &str =
    r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What a reader makes of `input`, as text.
fn read(input: impl Read + Send) -> String {
    let mut reader = Reader::new(input, Translation::default())
        .unwrap()
        .with_line_limit(2000);
    let mut out = String::new();
    for batch in reader.by_ref() {
        match batch {
            Ok(batch) => {
                for series in &batch.series {
                    for sample in &series.samples {
                        out += &format!("{} {}\n", series.labels, sample.value);
                    }
                }
                for span in &batch.spans {
                    out += &format!("span {} of {}\n", span.operation, span.service);
                }
            }
            Err(error) => out += &format!("error: {error}\n"),
        }
    }
    for problem in reader.problems() {
        out += &format!("problem: {problem}\n");
    }
    out
}

fn check(input: impl AsRef<[u8]>, expected: &Expect) {
    expected.assert_eq(&read(input.as_ref()));
}

#[test]
fn lines_of_every_signal() {
    let file = format!("{}\n\n{SPANS}\r\n{LOGS}\n   \n{}\n", metrics(1), metrics(2));
    check(
        &file,
        &expect![[r#"
            m{job="unknown_service"} 1
            span process.order of orders
            m{job="unknown_service"} 2
        "#]],
    );
    check("", &expect![""]);
    check(LOGS, &expect![""]);
}

#[test]
fn compressed_files() {
    let expected = expect![[r#"
        m{job="unknown_service"} 1
        span process.order of orders
        m{job="unknown_service"} 2
    "#]];
    let first = format!("{}\n{SPANS}", metrics(1));
    let second = format!("\n{}\n", metrics(2));
    // a rotated file is appended to as another member, which need not begin at a line
    let two_members = [gzip(first.as_bytes()), gzip(second.as_bytes())].concat();
    check(two_members, &expected);
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 0).unwrap();
    check([zstd(&first), zstd(&second)].concat(), &expected);
    // the Collector's own framing of compressed messages
    let messages: Vec<u8> = [metrics(1), SPANS.to_owned(), metrics(2)]
        .iter()
        .flat_map(|message| {
            let frame = zstd(message);
            [
                &u32::try_from(frame.len()).unwrap().to_be_bytes()[..],
                &frame,
            ]
            .concat()
        })
        .collect();
    check(&messages, &expected);
    check(
        &messages[..messages.len() - 3],
        &expect![[r#"
            m{job="unknown_service"} 1
            span process.order of orders
            problem: line 3: the file is cut off: unexpected end of file; nothing after it was read
        "#]],
    );
}

#[test]
fn bad_lines_do_not_affect_the_others() {
    let wrong_type = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"SERVER"}]}]}]}"#;
    let file = [
        "{\"resourceMetrics\":",
        &metrics(1),
        wrong_type,
        "not json",
        r#"{"level":"info"}"#,
        r#"{"resourceMetrics":[]} trailing"#,
        &format!(r#"{{"resourceMetrics":"{}"}}"#, "x".repeat(3000)),
        r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"d","sum":{"aggregationTemporality":1,"dataPoints":[{},{}]}}]}]}]}"#,
        SPANS,
        &metrics(2)[..100],
    ]
    .join("\n");
    check(
        file,
        &expect![[r#"
        m{job="unknown_service"} 1
        span process.order of orders
        problem: line 1 column 19: in resourceMetrics: EOF while parsing a value
        problem: line 3 column 59: in resourceSpans[0].scopeSpans[0].spans[0].kind: invalid value: string "SERVER", expected a signed integer of 32 bits
        problem: line 4 column 2: expected ident
        problem: line 5: neither resourceMetrics nor resourceSpans
        problem: line 6 column 24: trailing characters
        problem: line 7: longer than the limit, passed over
        problem: line 8: rejected 2 data points with delta temporality, which is not kept: set OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative in the sender (first in "d")
        problem: line 10 column 100: the last line is cut off
    "#]],
    );
}

#[test]
fn a_file_cut_off_in_compressed_data_gives_what_comes_before() {
    const LINES: usize = 4000;
    let lines: String = (0..LINES as u64)
        .map(|value| metrics(value) + "\n")
        .collect();
    for compressed in [
        gzip(lines.as_bytes()),
        zstd::encode_all(lines.as_bytes(), 0).unwrap(),
    ] {
        let cut = read(&compressed[..compressed.len() / 2]);
        let (samples, problem) = cut.trim_end().rsplit_once('\n').unwrap();
        assert!(
            problem.contains("the compressed data is damaged or cut off"),
            "{problem}"
        );
        let whole = read(compressed.as_slice());
        assert_eq!(whole.lines().count(), LINES);
        assert!((100..LINES).contains(&samples.lines().count()));
        assert!(whole.starts_with(samples));
    }
}

#[test]
fn other_files_are_refused() {
    check(
        "JAVA PROFILE 1.0.2\0\0\0\0\u{8}\0",
        &expect![[r#"
        error: not a file of OTLP JSON lines: line 1 column 1: expected value; each line must be {"resourceMetrics": …} or {"resourceSpans": …}, plain or in gzip or zstd, as the Collector's file exporter writes them
        problem: line 1 column 1: expected value
    "#]],
    );
    check(
        "{\n  \"resourceMetrics\": [\n  ]\n}\n",
        &expect![[r#"
        error: not a file of OTLP JSON lines: line 1 column 1: EOF while parsing an object; each line must be {"resourceMetrics": …} or {"resourceSpans": …}, plain or in gzip or zstd, as the Collector's file exporter writes them
        problem: line 1 column 1: EOF while parsing an object
        problem: line 2 column 19: invalid type: string "resourceMetrics", expected an object
        problem: line 3 column 3: expected value
        problem: line 4 column 1: expected value
    "#]],
    );
    check(
        "{\"level\":\"info\"}\n".repeat(10_000),
        &expect![[r#"
        error: not a file of OTLP JSON lines: line 1: neither resourceMetrics nor resourceSpans; each line must be {"resourceMetrics": …} or {"resourceSpans": …}, plain or in gzip or zstd, as the Collector's file exporter writes them
        problem: line 1: neither resourceMetrics nor resourceSpans
        problem: line 2: neither resourceMetrics nor resourceSpans
        problem: line 3: neither resourceMetrics nor resourceSpans
        problem: line 4: neither resourceMetrics nor resourceSpans
        problem: line 5: neither resourceMetrics nor resourceSpans
        problem: line 6: neither resourceMetrics nor resourceSpans
        problem: line 7: neither resourceMetrics nor resourceSpans
        problem: line 8: neither resourceMetrics nor resourceSpans
        problem: line 9: neither resourceMetrics nor resourceSpans
        problem: line 10: neither resourceMetrics nor resourceSpans
        problem: line 11: neither resourceMetrics nor resourceSpans
        problem: line 12: neither resourceMetrics nor resourceSpans
        problem: line 13: neither resourceMetrics nor resourceSpans
        problem: line 14: neither resourceMetrics nor resourceSpans
        problem: line 15: neither resourceMetrics nor resourceSpans
        problem: line 16: neither resourceMetrics nor resourceSpans
        problem: line 17: neither resourceMetrics nor resourceSpans
        problem: line 18: neither resourceMetrics nor resourceSpans
        problem: line 19: neither resourceMetrics nor resourceSpans
        problem: line 20: neither resourceMetrics nor resourceSpans
    "#]],
    );
    check(
        gzip(b"hello"),
        &expect![[r#"
        error: not a file of OTLP JSON lines: line 1 column 1: expected value; each line must be {"resourceMetrics": …} or {"resourceSpans": …}, plain or in gzip or zstd, as the Collector's file exporter writes them
        problem: line 1 column 1: expected value
    "#]],
    );
    check(
        [0x1f, 0x8b, 0, 0, 0],
        &expect![[r#"
        error: not a file of OTLP JSON lines: line 1: the compressed data is damaged or cut off: unexpected end of file; nothing after it was read; each line must be {"resourceMetrics": …} or {"resourceSpans": …}, plain or in gzip or zstd, as the Collector's file exporter writes them
        problem: line 1: the compressed data is damaged or cut off: unexpected end of file; nothing after it was read
    "#]],
    );
    check(
        [0x28, 0xb5, 0x2f, 0xfd, 0xff, 0xff, 0xff],
        &expect![[r#"
            error: not a file of OTLP JSON lines: line 1: the compressed data is damaged or cut off: incomplete frame; nothing after it was read; each line must be {"resourceMetrics": …} or {"resourceSpans": …}, plain or in gzip or zstd, as the Collector's file exporter writes them
            problem: line 1: the compressed data is damaged or cut off: incomplete frame; nothing after it was read
        "#]],
    );
}

#[test]
fn an_input_that_fails_is_an_error() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    let first = metrics(1) + "\n";
    expect![[r#"
        m{job="unknown_service"} 1
        error: cannot read after line 1: Input/output error (os error 5)
    "#]]
    .assert_eq(&read(first.as_bytes().chain(Failing)));
}

#[test]
fn only_the_first_problems_are_kept() {
    let file = metrics(1) + &"\nx".repeat(1000);
    let mut reader = Reader::new(file.as_bytes(), Translation::default()).unwrap();
    assert_eq!(reader.by_ref().count(), 1);
    assert_eq!(reader.problems().len(), 100);
    assert_eq!(reader.problem_count(), 1000);
    assert_eq!(reader.line(), 1001);
}
