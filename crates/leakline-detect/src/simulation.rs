//! A small simulated service, and the randomness it needs, for tests.

use leakline_model::{Labels, Timestamp};

/// A small generator with a fixed sequence (xorshift64*), so that tests repeat.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Even in 0 to 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal with mean 0 and variance 1 (Box-Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().max(1e-300).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A service on a heap that behaves like G1: a nursery that fills and empties, survivors, an old
/// generation where garbage gathers until it is worth a mixed collection. Times in seconds,
/// sizes in bytes.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) instance: String,
    pub(crate) version: String,
    /// When it starts, after the epoch of the tests.
    pub(crate) start: f64,
    pub(crate) duration: f64,
    /// Between exports.
    pub(crate) export: f64,
    /// The most that the heap may grow to.
    pub(crate) limit: f64,
    /// What is held at a time after the start.
    pub(crate) live: fn(f64) -> f64,
    /// Allocated per second.
    pub(crate) allocation: f64,
    /// What fits into the nursery.
    pub(crate) nursery: f64,
    /// Garbage that each young collection promotes.
    pub(crate) promoted_garbage: f64,
    /// Occupancy of the heap by the old generation at which a mixed collection follows.
    pub(crate) marking_threshold: f64,
    /// Noise of survivor spaces.
    pub(crate) survivors: f64,
    /// Times of forced full collections (a dump of live objects).
    pub(crate) full_collections: &'static [f64],
    pub(crate) sends_after_gc: bool,
    pub(crate) sends_gc: bool,
    pub(crate) sends_pools: bool,
    pub(crate) seed: u64,
}

pub(crate) const MB: f64 = 1e6;

impl Default for Service {
    /// A small service with an export a second and a collection every few seconds.
    fn default() -> Self {
        Service {
            instance: "a".to_owned(),
            version: "1.0.0".to_owned(),
            start: 0.0,
            duration: 300.0,
            export: 1.0,
            limit: 256.0 * MB,
            live: |t| started(t, 40.0),
            allocation: 25.0 * MB,
            nursery: 90.0 * MB,
            promoted_garbage: 0.1 * MB,
            marking_threshold: 0.45,
            survivors: 3.0 * MB,
            full_collections: &[],
            sends_after_gc: true,
            sends_gc: true,
            sends_pools: true,
            seed: 1,
        }
    }
}

/// Start-up: `megabytes` are there within seconds.
pub(crate) fn started(t: f64, megabytes: f64) -> f64 {
    megabytes * MB * (0.4 + 0.6 * (1.0 - (-t / 6.0).exp()))
}

/// All series of one export.
pub(crate) struct Export {
    pub(crate) at: Timestamp,
    pub(crate) samples: Vec<(Labels, f64)>,
}

/// 2026-01-01T00:00:00Z, where tests begin.
pub(crate) const EPOCH: Timestamp = Timestamp::from_millis(1_767_225_600_000);

pub(crate) fn at(seconds: f64) -> Timestamp {
    Timestamp::from_millis(EPOCH.as_millis() + (seconds * 1000.0) as i64)
}

/// The state of the simulated heap.
#[derive(Default)]
struct Heap {
    eden: f64,
    survivors: f64,
    old: f64,
    garbage: f64,
    old_after_gc: f64,
    minor: f64,
    major: f64,
    pauses: f64,
}

impl Service {
    pub(crate) fn run(&self) -> Vec<Export> {
        let mut random = Random::new(self.seed);
        let mut heap = Heap {
            old: (self.live)(0.0),
            ..Heap::default()
        };
        let mut exports = Vec::new();
        let step = (self.nursery / self.allocation / 8.0)
            .min(self.export / 4.0)
            .min(10.0);
        let (mut t, mut next_export) = (0.0, self.export);
        let mut forced = self.full_collections.iter().copied().peekable();
        while t < self.duration {
            t += step;
            heap.eden += self.allocation * step * (0.7 + 0.6 * random.uniform());
            if heap.eden > self.nursery {
                self.collect_young(&mut heap, t, &mut random);
            }
            if forced.next_if(|&time| t >= time).is_some() {
                heap.major += 1.0;
                heap.pauses += 0.2;
                heap.garbage = 0.0;
                heap.eden = 0.0;
                heap.survivors = 0.0;
                heap.old = (self.live)(t);
                heap.old_after_gc = heap.old;
            }
            if t >= next_export {
                exports.push(self.export(&heap, self.start + next_export, t));
                next_export += self.export;
            }
        }
        exports
    }

    fn collect_young(&self, heap: &mut Heap, t: f64, random: &mut Random) {
        heap.minor += 1.0;
        heap.eden = 0.0;
        heap.garbage += self.promoted_garbage * 2.0 * random.uniform();
        heap.survivors = self.survivors * random.uniform();
        heap.old = (self.live)(t) + heap.garbage;
        let worth_it = heap.garbage > 0.05 * self.limit;
        if heap.old > self.marking_threshold * self.limit && worth_it {
            heap.garbage *= 0.1;
            heap.old = (self.live)(t) + heap.garbage;
            heap.old_after_gc = heap.old;
        }
        heap.pauses += 0.003 + 1e-10 * heap.old;
    }

    fn export(&self, heap: &Heap, time: f64, age: f64) -> Export {
        let mut samples = Vec::new();
        let mut add = |name: &str, extra: &[(&str, &str)], value: f64| {
            let mut labels = vec![
                ("__name__", name),
                ("job", "orders"),
                ("instance", self.instance.as_str()),
                ("service_version", self.version.as_str()),
            ];
            labels.extend_from_slice(extra);
            samples.push((Labels::new(labels), value));
        };
        let pools = [
            ("G1 Eden Space", heap.eden, 0.0),
            ("G1 Survivor Space", heap.survivors, heap.survivors),
            ("G1 Old Gen", heap.old, heap.old_after_gc),
        ];
        let heap_type = ("jvm_memory_type", "heap");
        let key = "jvm_memory_pool_name";
        if self.sends_pools {
            for (pool, used, after) in pools {
                add("jvm_memory_used_bytes", &[heap_type, (key, pool)], used);
                if self.sends_after_gc {
                    let name = "jvm_memory_used_after_last_gc_bytes";
                    add(name, &[heap_type, (key, pool)], after);
                }
            }
        } else {
            let used = pools.iter().map(|(_, used, _)| used).sum();
            add("jvm_memory_used_bytes", &[heap_type], used);
        }
        add(
            "jvm_memory_limit_bytes",
            &[heap_type, (key, "G1 Old Gen")],
            self.limit,
        );
        add("jvm_class_count", &[], 9000.0 * (1.0 - (-age / 7.0).exp()));
        if self.sends_gc {
            let young = [
                ("jvm_gc_name", "G1 Young Generation"),
                ("jvm_gc_action", "end of minor GC"),
            ];
            if heap.minor > 0.0 {
                add("jvm_gc_duration_seconds_count", &young, heap.minor);
                add("jvm_gc_duration_seconds_sum", &young, heap.pauses);
            }
            if heap.major > 0.0 {
                let old = [
                    ("jvm_gc_name", "G1 Old Generation"),
                    ("jvm_gc_action", "end of major GC"),
                ];
                add("jvm_gc_duration_seconds_count", &old, heap.major);
            }
        }
        Export {
            at: at(time),
            samples,
        }
    }
}
