//! Any bytes are redacted. The copy is no larger, can be read as far as the original, and has
//! nothing left to redact.

#![no_main]

use leakline_hprof::Hprof;
use leakline_hprof::redact::{Redaction, Text, redact};
use leakline_model::Glob;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(hprof) = Hprof::parse(bytes) else {
        return;
    };
    let mut copy = Vec::new();
    let summary = redact(&hprof, &Redaction::default(), &mut copy).expect("a vector takes it");
    // a byte for each segment of which the rest is missing, in every dump of the file
    let marks = bytes.len() / 10;
    assert!(copy.len() <= bytes.len() + marks);
    let again = Hprof::parse(&copy).expect("a copy has a header");
    let mut twice = Vec::new();
    let second = redact(&again, &Redaction::default(), &mut twice).expect("a vector takes it");
    assert_eq!(summary.objects, second.objects);
    assert_eq!(copy.len(), twice.len());

    let keep = [Glob::new("*a*"), Glob::new("int[]")];
    let hash = |text: &[u8]| [text.len() as u8; 32];
    let options = Redaction {
        keep: &keep,
        text: Text::Hash(&hash),
        progress: None,
    };
    redact(&hprof, &options, std::io::sink()).expect("a sink takes it");
});
