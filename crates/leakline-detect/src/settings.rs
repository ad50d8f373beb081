//! Every threshold of the detector.

use std::time::Duration;

/// Every threshold of the detector, with the reason for its default.
///
/// Nearly all are ratios: the same detector must judge a leak that kills in five minutes and one
/// that takes a month, so lengths of time are compared with each other, not with a clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Collections that a floor point must span when nurseries are told apart from the rest of
    /// the heap. One: the rest of the heap changes only when something is collected, so there is
    /// no sawtooth to look under.
    pub cycles_per_point: u32,
    /// Collections that a floor point must span when only the whole heap is known. Three: a
    /// single cycle of the sawtooth may be sampled far from its bottom.
    pub cycles_per_point_whole_heap: u32,
    /// Samples that a floor point must span when only the whole heap is known. Eight: the lowest
    /// of m random samples of a sawtooth lies 1/(m + 1) of a tooth above its bottom.
    pub samples_per_point_whole_heap: u32,

    /// The least time that counts as warm-up. 15 s: no runtime has compiled and loaded what it
    /// needs sooner.
    pub minimum_warm_up: Duration,
    /// Share of the classes loaded by now that must have been loaded for warm-up to be over.
    /// 0.95: framework start-up loads far more than one class in twenty, steady service far less.
    pub settled_classes: f64,
    /// How much steeper the floor must have risen before a bend than after it for the part
    /// before to be warm-up. 3: what leaks keeps its slope, what fills or starts does not.
    pub warm_up_slope_ratio: f64,
    /// The largest share of a process's life that can be warm-up. 0.5: otherwise a process that
    /// loads classes for ever would never be judged.
    pub maximum_warm_up_share: f64,

    /// Floor points that a suspicion needs. 5: fewer leave no freedom to estimate a trend, its
    /// error and the autocorrelation.
    pub points_to_suspect: usize,
    /// Floor points that a judgement (`healthy` as well as `leaking`) needs. 10: with fewer, the
    /// latest quarter is no trend of its own.
    pub points_to_judge: usize,
    /// The shortest window that is judged. 25 s: bursts of load are shorter.
    pub minimum_window: Duration,

    /// Level of the trend test for a suspicion. 0.01: several windows are tested again and again.
    pub significance_to_suspect: f64,
    /// Level of the trend test for `leaking`. 0.001: the verdict may wake someone.
    pub significance_to_judge: f64,

    /// Growth over the window, as its lower 95 % bound, relative to the floor at its start, for
    /// a suspicion. 0.25: promoted garbage, pools and caches that fill move a floor by less.
    pub growth_to_suspect: f64,
    /// Growth, as above, that must have survived a collection of the whole heap, for `leaking`.
    /// 0.10: what survives such a collection is really held, so less of it is telling.
    pub surviving_growth: f64,
    /// Growth that no collection of the whole heap has tested yet, relative to what was allocated
    /// meanwhile, for a suspicion. 0.005: collectors with generations let some garbage slip into
    /// the old one, up to a few in a thousand bytes of what is allocated; slower growth has to
    /// wait for a collection there.
    pub kept_share: f64,
    /// How full the heap must be for untested growth to be suspected however slow it is. 0.7:
    /// most collectors look at their old generation before that.
    pub filled: f64,
    /// The same as `growth_to_suspect` for a process that sends no limit. 0.5: without a limit
    /// there is no forecast that could show the growth to be harmless.
    pub growth_without_limit: f64,

    /// How many times the window's length a forecast may reach, for a suspicion. 12: growth that
    /// would need longer to fill the rest of the heap may be anything, and there is time to look
    /// again.
    pub horizon_to_suspect: f64,
    /// The same for `leaking`. 6: a seventh of the way from floor to limit was watched.
    pub horizon_to_judge: f64,

    /// How many times `horizon_to_suspect` a forecast may reach before growth that is sure and
    /// steady counts as harmless instead of undecided. 4: a process whose heap would last fifty
    /// times as long as it has been watched is not the one to wait for.
    pub open_horizon: f64,

    /// The period in which load repeats. Growth that leaves more time than this is not called
    /// `leaking` before it has been watched for as long: half a day of rising load looks just
    /// like a leak. One day.
    pub period: Duration,

    /// Slope of the window's latest half relative to the whole. 0.4: what levels off is a cache
    /// that fills, a pool that grows to its size, a step after a deploy.
    pub persistence_of_half: f64,
    /// Slope of the latest quarter relative to the whole. 0.2: as above, but of fewer points.
    pub persistence_of_quarter: f64,
    /// The largest share of the growth that may come in one rise. 0.6: one step is a new feature
    /// or a loaded file, not a leak.
    pub largest_step: f64,
    /// Growth relative to the deepest fall of the floor before. 1.5: what has gone away once can
    /// go away again (a nightly batch, a day's load, garbage of an old generation collected
    /// rarely), and a little more of it too.
    pub growth_over_fall: f64,

    /// Judgements in a row that must agree before a verdict gets worse. 2: one may stand on a
    /// freak sample.
    pub confirmations: u32,
    /// How long the reasons must have been gone before a verdict gets better, relative to the
    /// window that the verdict was based on. 0.5.
    pub release: f64,

    /// Silence, in export intervals, after which a process counts as gone. 5.
    pub silent_exports: f64,
    /// The least silence after which a process counts as gone. 30 s: exports come late.
    pub minimum_silence: Duration,
    /// Silence after which a process is forgotten. 7 days.
    pub forget_after: Duration,
    /// Processes that are remembered; beyond, the longest silent are forgotten. 20,000.
    pub maximum_processes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            cycles_per_point: 1,
            cycles_per_point_whole_heap: 3,
            samples_per_point_whole_heap: 8,
            minimum_warm_up: Duration::from_secs(15),
            settled_classes: 0.95,
            warm_up_slope_ratio: 3.0,
            maximum_warm_up_share: 0.5,
            points_to_suspect: 5,
            points_to_judge: 10,
            minimum_window: Duration::from_secs(25),
            significance_to_suspect: 0.01,
            significance_to_judge: 0.001,
            growth_to_suspect: 0.25,
            surviving_growth: 0.10,
            kept_share: 0.005,
            filled: 0.7,
            growth_without_limit: 0.5,
            horizon_to_suspect: 12.0,
            horizon_to_judge: 6.0,
            open_horizon: 4.0,
            period: Duration::from_secs(86_400),
            persistence_of_half: 0.4,
            persistence_of_quarter: 0.2,
            largest_step: 0.6,
            growth_over_fall: 1.5,
            confirmations: 2,
            release: 0.5,
            silent_exports: 5.0,
            minimum_silence: Duration::from_secs(30),
            forget_after: Duration::from_secs(7 * 86_400),
            maximum_processes: 20_000,
        }
    }
}
