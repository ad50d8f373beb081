//! The load of the example order service: a steady stream of requests in a fixed mix.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Requests a second, over all workers.
const RATE: u32 = 250;
/// Each worker keeps one connection and waits for each answer.
const WORKERS: u32 = 5;
/// Of each hundred requests, how many create an order, read one, list them; the rest ask for health.
const MIX: (u64, u64, u64) = (60, 25, 10);
/// Orders are read while they are this recent: the service without the leak keeps no more.
const RECENT_ORDERS: u64 = 150;
/// What the service sells.
const PRODUCTS: [&str; 8] = [
    "keyboard",
    "mouse",
    "monitor",
    "headset",
    "webcam",
    "dock",
    "desk_lamp",
    "chair",
];

/// Running load; it stops when this is dropped.
pub struct Load {
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
    workers: Vec<JoinHandle<()>>,
}

/// What has been sent so far.
#[derive(Debug, Default)]
struct Counts {
    answered: AtomicU64,
    /// The number of the latest order that was placed.
    newest_order: AtomicU64,
    failed: AtomicU64,
}

impl Load {
    /// Starts sending to the service at `base`, for example `http://127.0.0.1:8080`.
    pub fn start(base: &str) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let counts = Arc::new(Counts::default());
        let workers = (0..WORKERS)
            .map(|worker| {
                let (stop, counts, base) = (stop.clone(), counts.clone(), base.to_owned());
                std::thread::spawn(move || run_worker(worker, &base, &stop, &counts))
            })
            .collect();
        Load {
            stop,
            counts,
            workers,
        }
    }

    /// Requests answered and requests failed, since the start.
    pub fn counts(&self) -> (u64, u64) {
        (
            self.counts.answered.load(Ordering::Relaxed),
            self.counts.failed.load(Ordering::Relaxed),
        )
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers.drain(..) {
            // a worker that panicked has nothing more to say
            let _ = worker.join();
        }
    }
}

fn run_worker(worker: u32, base: &str, stop: &AtomicBool, counts: &Counts) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        // an old order that the service has let go of answers 404, and that is an answer
        .http_status_as_error(false)
        .build()
        .into();
    let pause = Duration::from_secs(1) * WORKERS / RATE;
    let mut due = Instant::now() + pause * worker / WORKERS;
    let mut request = u64::from(worker);
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        match due.checked_duration_since(now) {
            Some(early) => std::thread::sleep(early),
            // a pause of the service (a heap dump, say) must not be followed by a flood
            None if now.duration_since(due) > Duration::from_secs(1) => due = now,
            None => {}
        }
        due += pause;
        let count = match send(&agent, base, request, counts) {
            Ok(()) => &counts.answered,
            Err(_) => &counts.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        request += u64::from(WORKERS);
    }
}

/// Sends the request with this number; the mix is spread evenly over the numbers.
fn send(agent: &ureq::Agent, base: &str, request: u64, counts: &Counts) -> Result<(), ureq::Error> {
    // 37 and 100 share no divisor, so a hundred requests in a row take each value once
    let lot = request * 37 % 100;
    let (create, read, list) = MIX;
    let mut response = if lot < create {
        let lines = (0..6 + request % 7).map(|line| {
            format!(
                "&line={}:{}",
                PRODUCTS[(request + line) as usize % PRODUCTS.len()],
                line % 3 + 1
            )
        });
        let form = format!(
            "customer=customer-{}{}",
            request % 500,
            lines.collect::<String>()
        );
        agent
            .post(format!("{base}/orders"))
            .content_type("application/x-www-form-urlencoded")
            .send(form)?
    } else if lot < create + read {
        let newest = counts.newest_order.load(Ordering::Relaxed);
        let order = newest.saturating_sub(request % RECENT_ORDERS).max(1);
        agent.get(format!("{base}/orders/{order}")).call()?
    } else if lot < create + read + list {
        agent.get(format!("{base}/orders")).call()?
    } else {
        agent.get(format!("{base}/health")).call()?
    };
    let location = response
        .headers()
        .get("location")
        .and_then(|value| value.to_str().ok());
    if let Some(order) = location.and_then(|path| path.rsplit('/').next()?.parse().ok()) {
        counts.newest_order.fetch_max(order, Ordering::Relaxed);
    }
    // the connection is used again only when the body has been read
    response.body_mut().read_to_vec().map(|_| ())
}
