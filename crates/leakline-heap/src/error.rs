use leakline_hprof::HprofError;

/// Why a dump cannot be analysed at all. Damage that leaves something to analyse is no error: it
/// is listed in [`DumpFacts::problems`](crate::DumpFacts::problems).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeapError {
    /// The input is not a heap dump, or its header is damaged.
    #[error(transparent)]
    Format(#[from] HprofError),
    /// The dump holds no object.
    #[error("no objects in the dump{}", reason(.problem))]
    NoObjects {
        /// What was wrong with the dump, if anything was found.
        problem: Option<HprofError>,
    },
    /// The file does not hold as many dumps.
    #[error("there is no dump #{number} in the file: it holds {count}, numbered from #1")]
    NoSuchDump {
        /// The number asked for.
        number: u32,
        /// How many dumps there are.
        count: usize,
    },
    /// More objects than indices.
    #[error(
        "{objects} objects in one dump; at most 4,294,967,294 can be analysed, dump one process at a time"
    )]
    TooManyObjects {
        /// How many object records there are.
        objects: u64,
    },
}

fn reason(problem: &Option<HprofError>) -> String {
    problem
        .as_ref()
        .map_or_else(String::new, |problem| format!(": {problem}"))
}
