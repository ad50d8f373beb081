//! The picture that people look at first: the heap over time as SVG.
//!
//! A pure function of its input; no script, no external asset. Colours follow the reader's light
//! or dark mode. Every element is reachable in words through the drawing's title and description.

mod axis;

use leakline_detect::{Eta, Plot};
use leakline_model::{ByteSize, TimeRange, Timestamp};

use crate::document::escape;
use crate::phrase;
use axis::{byte_ticks, time_ticks};

/// What to draw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlotView {
    /// Memory over time.
    pub plot: Plot,
    /// Memory of the process that it replaced; empty when there is none to compare with.
    pub predecessor: Plot,
    /// The limit that would be hit.
    pub limit_bytes: Option<u64>,
    /// When it would be hit.
    pub eta: Option<Eta>,
    /// When growth began.
    pub onset: Option<Timestamp>,
    /// Versions that started: when, and the name to show.
    pub deploys: Vec<(Timestamp, String)>,
    /// Dumps taken: when, and the name to show.
    pub captures: Vec<(Timestamp, String)>,
}

const WIDTH: f64 = 960.0;
const LEFT: f64 = 68.0;
const RIGHT: f64 = 20.0;
const PLOT_HEIGHT: f64 = 300.0;
const LANE: f64 = 17.0;
/// Average width of a character of the labels: 11 pixels of a sans-serif face.
const CHARACTER: f64 = 6.1;

const STYLE: &str = include_str!("plot/style.css");

/// Draws the heap over time. Empty when there is nothing to draw.
pub fn svg(view: &PlotView) -> String {
    let Some(frame) = Frame::of(view) else {
        return String::new();
    };
    let marks = marks(view);
    let placed = place(&frame, &marks);
    let lanes = placed.iter().map(|p| p.lane + 1).max().unwrap_or(0);
    let frame = Frame {
        top: 10.0 + lanes as f64 * LANE,
        ..frame
    };
    let mut out = String::new();
    let height = frame.bottom() + 62.0;
    out += &format!(
        "<svg class=\"leakline-plot\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" \
         aria-labelledby=\"plot-title plot-words\" xmlns=\"http://www.w3.org/2000/svg\">\n\
         <title id=\"plot-title\">Heap over time</title>\n<desc id=\"plot-words\">{}</desc>\n\
         <style>{STYLE}</style>\n\
         <clipPath id=\"plot-area\"><rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{PLOT_HEIGHT}\"/></clipPath>\n",
        escape(&words(view)),
        frame.top,
        WIDTH - LEFT - RIGHT,
    );
    draw_axes(&mut out, &frame);
    out += "<g clip-path=\"url(#plot-area)\">\n";
    draw_warm_up(&mut out, &frame, view);
    draw_forecast(&mut out, &frame, view);
    for plot in [&view.predecessor, &view.plot] {
        out += &polyline("used", &frame, &plot.used);
        out += &polyline("floor", &frame, &plot.floor);
    }
    if let Some(trend) = view.plot.trend {
        out += &polyline("trend", &frame, &trend);
    }
    out += "</g>\n";
    // lines before words, so that the words' halo keeps lines out of them
    draw_mark_lines(&mut out, &frame, &placed);
    draw_limit(&mut out, &frame, view);
    draw_mark_labels(&mut out, &frame, &placed);
    draw_legend(&mut out, &frame, view);
    out += "</svg>\n";
    out
}

/// What the drawing shows, in words.
pub fn words(view: &PlotView) -> String {
    let (Some((start, _)), Some((end, last))) = (view.plot.used.first(), view.plot.used.last())
    else {
        return "No samples of the heap.".to_owned();
    };
    let mut text = format!(
        "Heap in use, {}; {} at the end.",
        phrase::window(TimeRange::new(*start, *end)),
        ByteSize(*last as u64)
    );
    if let (Some((_, first)), Some((_, last))) = (view.plot.floor.first(), view.plot.floor.last()) {
        text += &format!(
            " What stays after collections goes from {} to {}.",
            ByteSize(*first as u64),
            ByteSize(*last as u64)
        );
    }
    if let Some(onset) = view.onset {
        text += &format!(" Growth begins at {}.", onset.clock());
    }
    if let (Some(limit), Some(eta)) = (view.limit_bytes, &view.eta) {
        text += &format!(
            " The forecast reaches the limit of {} at {}.",
            ByteSize(limit),
            phrase::eta(eta, *end)
        );
    }
    text
}

/// Where times and bytes lie on the page.
struct Frame {
    times: TimeRange,
    max_bytes: f64,
    top: f64,
}

impl Frame {
    fn of(view: &PlotView) -> Option<Frame> {
        let own = || view.plot.used.iter().chain(&view.plot.floor);
        let before = || view.predecessor.used.iter().chain(&view.predecessor.floor);
        let own_start = own().map(|(at, _)| *at).min()?;
        let end = own().map(|(at, _)| *at).max()?;
        // of the predecessor no more than of the process itself: it is there to compare with
        let start = before()
            .map(|(at, _)| (*at).max(own_start - end.duration_since(own_start)))
            .fold(own_start, Timestamp::min);
        let points = || before().filter(move |(at, _)| *at >= start).chain(own());
        let seen = end.duration_since(start);
        // the future may take three quarters of the page if the limit then stands on it, else half
        let forecast = view
            .eta
            .map_or(end, |eta| eta.p90 + eta.p90.duration_since(end) / 12)
            .max(end);
        let until = if forecast <= end + seen * 3 {
            forecast
        } else {
            end + seen
        };
        let most = points()
            .map(|(_, bytes)| *bytes)
            .filter(|b| b.is_finite())
            .fold(0.0, f64::max);
        // a limit far above all data would press the data into the ground line
        let limit = view
            .limit_bytes
            .map(|l| l as f64)
            .filter(|l| *l < most * 8.0);
        let max_bytes = (most * 1.06).max(limit.unwrap_or(0.0) * 1.04).max(1.0);
        (start < until).then_some(Frame {
            times: TimeRange::new(start, until),
            max_bytes,
            top: 0.0,
        })
    }

    fn x(&self, time: Timestamp) -> f64 {
        let share =
            time.seconds_since(self.times.start) / self.times.end.seconds_since(self.times.start);
        // far outside is as good as just outside, and keeps the numbers short
        LEFT + share.clamp(-1.0, 2.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, bytes: f64) -> f64 {
        self.top + (1.0 - (bytes / self.max_bytes).clamp(-1.0, 2.0)) * PLOT_HEIGHT
    }

    fn bottom(&self) -> f64 {
        self.top + PLOT_HEIGHT
    }

    fn shows(&self, time: Timestamp) -> bool {
        self.times.contains(time)
    }
}

/// A moment marked by a vertical line with a label on top.
struct Mark {
    at: Timestamp,
    class: &'static str,
    label: String,
}

fn marks(view: &PlotView) -> Vec<Mark> {
    let named = |class: &'static str, (at, label): &(Timestamp, String)| Mark {
        at: *at,
        class,
        label: label.chars().take(28).collect(),
    };
    let mut marks: Vec<Mark> = view.deploys.iter().map(|d| named("deploy", d)).collect();
    marks.extend(view.captures.iter().map(|c| named("capture", c)));
    marks.extend(view.onset.map(|at| Mark {
        at,
        class: "onset",
        label: "growth begins".to_owned(),
    }));
    marks.sort_by_key(|mark| mark.at);
    marks
}

/// A mark with the place of its label.
struct Placed<'a> {
    mark: &'a Mark,
    x: f64,
    lane: usize,
    /// The label stands left of its line, because there is no room on the right.
    left: bool,
}

/// Gives each label the first lane in which it touches no other.
fn place<'a>(frame: &Frame, marks: &'a [Mark]) -> Vec<Placed<'a>> {
    let mut lanes: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut placed = Vec::new();
    for mark in marks.iter().filter(|mark| frame.shows(mark.at)) {
        let x = frame.x(mark.at);
        let width = mark.label.chars().count() as f64 * CHARACTER + 12.0;
        let left = x + width > WIDTH - 4.0;
        let span = if left { (x - width, x) } else { (x, x + width) };
        let free = |lane: &Vec<(f64, f64)>| lane.iter().all(|l| span.1 <= l.0 || l.1 <= span.0);
        let lane = lanes.iter().position(free).unwrap_or(lanes.len());
        if lane == lanes.len() {
            lanes.push(Vec::new());
        }
        if let Some(lane) = lanes.get_mut(lane) {
            lane.push(span);
        }
        placed.push(Placed {
            mark,
            x,
            lane,
            left,
        });
    }
    placed
}

/// The baseline of a mark's label; later lanes lie higher.
fn label_y(frame: &Frame, placed: &Placed<'_>) -> f64 {
    frame.top - 8.0 - placed.lane as f64 * LANE
}

fn draw_mark_lines(out: &mut String, frame: &Frame, placed: &[Placed<'_>]) {
    for place in placed {
        *out += &format!(
            "<g class=\"mark {}\"><line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/></g>\n",
            place.mark.class,
            label_y(frame, place) - 8.0,
            frame.bottom(),
            x = place.x,
        );
    }
}

fn draw_mark_labels(out: &mut String, frame: &Frame, placed: &[Placed<'_>]) {
    for place in placed {
        let (anchor, offset) = if place.left {
            ("end", -5.0)
        } else {
            ("start", 5.0)
        };
        *out += &format!(
            "<g class=\"mark {}\"><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text></g>\n",
            place.mark.class,
            place.x + offset,
            label_y(frame, place),
            escape(&place.mark.label),
        );
    }
}

fn draw_axes(out: &mut String, frame: &Frame) {
    for (bytes, label) in byte_ticks(frame.max_bytes) {
        let y = frame.y(bytes);
        *out += &format!(
            "<g class=\"tick\"><line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text></g>\n",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0,
        );
    }
    let bottom = frame.bottom();
    for (time, label) in time_ticks(frame.times) {
        let x = frame.x(time);
        *out += &format!(
            "<g class=\"tick time\"><line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom:.1}\" y2=\"{:.1}\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text></g>\n",
            bottom + 5.0,
            bottom + 18.0,
        );
    }
}

fn draw_warm_up(out: &mut String, frame: &Frame, view: &PlotView) {
    let start = view.plot.used.first().map(|(at, _)| frame.x(*at));
    if let (Some(start), Some(end)) = (start, view.plot.warm_up_end) {
        let width = (frame.x(end) - start).max(0.0);
        *out += &format!(
            "<rect class=\"warm-up\" x=\"{start:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{PLOT_HEIGHT}\"/>\n",
            frame.top
        );
    }
}

/// The band from the end of the trend to the limit, between the early and the late forecast.
fn draw_forecast(out: &mut String, frame: &Frame, view: &PlotView) {
    let (Some(eta), Some(limit)) = (&view.eta, view.limit_bytes) else {
        return;
    };
    let end_of_trend = view.plot.trend.map(|[_, end]| end);
    let Some((from, bytes)) = end_of_trend.or(view.plot.floor.last().copied()) else {
        return;
    };
    let slanted = |to: Timestamp| slant(frame, (from, bytes), (to, limit as f64));
    let (x, y) = (frame.x(from), frame.y(bytes));
    let [early, middle, late] = [eta.p10, eta.p50, eta.p90].map(slanted);
    let corner = frame.y(limit as f64);
    *out += &format!(
        "<path class=\"band\" d=\"M{x:.1} {y:.1}L{:.1} {:.1}L{:.1} {corner:.1}L{:.1} {:.1}Z\"/>\n\
         <path class=\"forecast\" d=\"M{x:.1} {y:.1}L{:.1} {:.1}\"/>\n",
        early.0,
        early.1,
        late.0.max(early.0),
        late.0,
        late.1,
        middle.0,
        middle.1,
    );
}

/// The end of the line from `from` to `to`, cut off at the right edge.
fn slant(frame: &Frame, from: (Timestamp, f64), to: (Timestamp, f64)) -> (f64, f64) {
    let length = to.0.seconds_since(from.0);
    let room = frame.times.end.seconds_since(from.0);
    let share = if length > room && length > 0.0 {
        room / length
    } else {
        1.0
    };
    let bytes = from.1 + share * (to.1 - from.1);
    (frame.x(to.0.min(frame.times.end)), frame.y(bytes))
}

fn draw_limit(out: &mut String, frame: &Frame, view: &PlotView) {
    let Some(limit) = view.limit_bytes else {
        return;
    };
    if limit as f64 > frame.max_bytes {
        *out += &format!(
            "<text class=\"limit\" x=\"{:.1}\" y=\"{:.1}\">limit {} ↑</text>\n",
            LEFT + 8.0,
            frame.top + 14.0,
            ByteSize(limit)
        );
        return;
    }
    let y = frame.y(limit as f64);
    *out += &format!(
        "<line class=\"limit\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
         <text class=\"limit\" x=\"{:.1}\" y=\"{:.1}\">limit {}</text>\n",
        WIDTH - RIGHT,
        LEFT + 8.0,
        y + 14.0,
        ByteSize(limit)
    );
}

fn draw_legend(out: &mut String, frame: &Frame, view: &PlotView) {
    let plot = &view.plot;
    let entries = [
        ("used", "heap in use", !plot.used.is_empty()),
        (
            "floor",
            "floor: stays after collections",
            !plot.floor.is_empty(),
        ),
        ("trend", "trend", plot.trend.is_some()),
        (
            "band",
            "forecast, 80 %",
            view.eta.is_some() && view.limit_bytes.is_some(),
        ),
        ("warm-up", "warm-up", plot.warm_up_end.is_some()),
    ];
    let y = frame.bottom() + 46.0;
    let mut x = LEFT;
    for (class, label, _) in entries.iter().filter(|(_, _, shown)| *shown) {
        let sign = match *class {
            "band" | "warm-up" => format!(
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"22\" height=\"11\"/>",
                y - 9.0
            ),
            _ => format!(
                "<path class=\"{class}\" d=\"M{x:.1} {0:.1}H{1:.1}\"/>",
                y - 4.0,
                x + 22.0
            ),
        };
        *out += &format!(
            "<g class=\"legend\">{sign}<text x=\"{:.1}\" y=\"{y:.1}\">{label}</text></g>\n",
            x + 28.0
        );
        x += 28.0 + label.chars().count() as f64 * CHARACTER + 22.0;
    }
}

/// A line through the points, thinned to the lowest and the highest of each pixel column.
fn polyline(class: &str, frame: &Frame, points: &[(Timestamp, f64)]) -> String {
    let mut path = String::new();
    let mut column: Option<i64> = None;
    let mut extremes: Vec<(f64, f64)> = Vec::new();
    let flush = |extremes: &mut Vec<(f64, f64)>, path: &mut String| {
        let lowest = extremes.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
        let highest = extremes.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        let mut kept: Vec<(f64, f64)> = [
            extremes.first().copied(),
            lowest,
            highest,
            extremes.last().copied(),
        ]
        .into_iter()
        .flatten()
        .collect();
        kept.sort_by(|a, b| a.0.total_cmp(&b.0));
        kept.dedup();
        for (x, y) in kept {
            let command = if path.is_empty() { 'M' } else { 'L' };
            *path += &format!("{command}{x:.1} {y:.1}");
        }
        extremes.clear();
    };
    for (time, bytes) in points.iter().filter(|(_, bytes)| bytes.is_finite()) {
        let (x, y) = (frame.x(*time), frame.y(*bytes));
        if column.is_some_and(|c| c != x as i64) {
            flush(&mut extremes, &mut path);
        }
        column = Some(x as i64);
        extremes.push((x, y));
    }
    flush(&mut extremes, &mut path);
    if path.is_empty() {
        return path;
    }
    format!("<path class=\"{class}\" d=\"{path}\"/>\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_763_800_000_000) + Duration::from_secs(seconds)
    }

    fn view(points: u64) -> PlotView {
        let line = |height: f64| {
            (0..points)
                .map(|i| (at(i * 10), height + i as f64))
                .collect()
        };
        PlotView {
            plot: Plot {
                used: line(2e6),
                floor: line(1e6),
                ..Plot::default()
            },
            limit_bytes: Some(4_000_000),
            ..PlotView::default()
        }
    }

    #[test]
    fn labels_never_overlap() {
        let mut view = view(100);
        for i in 0..12 {
            let label = format!("{}.{}", i, "0".repeat(i as usize));
            view.deploys.push((at(i * i * 7), label));
            view.captures
                .push((at(900 + i), "comparison dump".to_owned()));
        }
        view.onset = Some(at(950));
        let frame = Frame::of(&view).unwrap();
        let marks = marks(&view);
        let boxes: Vec<(usize, f64, f64)> = place(&frame, &marks)
            .iter()
            .map(|p| {
                let width = p.mark.label.chars().count() as f64 * CHARACTER;
                let start = if p.left { p.x - width } else { p.x };
                (p.lane, start, start + width)
            })
            .collect();
        assert_eq!(boxes.len(), 25);
        for (i, a) in boxes.iter().enumerate() {
            assert!(a.1 >= 0.0 && a.2 <= WIDTH, "{a:?} leaves the page");
            for b in boxes.iter().skip(i + 1) {
                assert!(a.0 != b.0 || a.2 <= b.1 || b.2 <= a.1, "{a:?} over {b:?}");
            }
        }
    }

    #[test]
    fn extreme_input_draws_finite_numbers() {
        let mut view = view(50);
        view.plot.used.push((at(600), f64::NAN));
        view.plot.used.push((at(610), f64::INFINITY));
        view.plot.floor.push((at(620), -1e300));
        view.limit_bytes = Some(u64::MAX);
        view.eta = Some(Eta {
            p10: Timestamp::MIN,
            p50: at(700),
            p90: Timestamp::MAX,
        });
        view.onset = Some(Timestamp::MAX);
        view.plot.warm_up_end = Some(Timestamp::MIN);
        view.plot.trend = Some([(at(0), 0.0), (at(0), f64::MAX)]);
        let drawn = svg(&view);
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        view.limit_bytes = Some(3_000_000);
        let drawn = svg(&view);
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
    }

    #[test]
    fn nothing_to_draw_draws_nothing() {
        assert_eq!(svg(&PlotView::default()), "");
        assert_eq!(svg(&view(1)), "");
        assert_eq!(words(&PlotView::default()), "No samples of the heap.");
    }

    #[test]
    fn many_points_are_thinned_but_keep_their_peaks() {
        let mut view = view(50_000);
        view.plot.used[25_000].1 = 3_900_000.0;
        let frame = Frame::of(&view).unwrap();
        let drawn = svg(&view);
        assert!(drawn.len() < 80_000, "{} bytes", drawn.len());
        // the drawing is moved down by the lanes of labels, of which there are none here
        let peak = format!(" {:.1}", frame.y(3_900_000.0) + 10.0);
        assert!(drawn.contains(&peak));
    }
}
