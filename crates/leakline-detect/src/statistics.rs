//! The statistics of a trend: whether it is real, how steep it is, where it bends.

/// The result of testing a series of points for a linear trend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TrendTest {
    /// Standard error of the slope, autocorrelation accounted for.
    pub(crate) standard_error: f64,
    /// The chance of a slope this steep, upwards, where there is no trend.
    pub(crate) p_value: f64,
    /// Estimated lag-1 autocorrelation of what the trend leaves over, 0 to [`MAX_PHI`].
    #[cfg(test)]
    phi: f64,
}

/// Above this an AR(1) process is a random walk to any window we could have.
const MAX_PHI: f64 = 0.98;

/// Tests whether `points` (x, y) rise, by generalised least squares with AR(1) errors.
///
/// Prais-Winsten with the bias of φ corrected: residuals of a fitted line show too little
/// autocorrelation, by (2 + 4φ)/n (Kendall 1954), and without the correction the test finds
/// trends in noise. Mann-Kendall and its usual repairs do not hold their level here.
///
/// `None` for fewer than five points or when all stand at one x.
pub(crate) fn test_trend(points: &[(f64, f64)]) -> Option<TrendTest> {
    let n = points.len();
    if n < 5 {
        return None;
    }
    let count = n as f64;
    let (mut intercept, mut slope, mut standard_error) = prais_winsten(points, 0.0)?;
    #[cfg(test)]
    let mut last_phi = 0.0;
    for _ in 0..3 {
        let estimate = lag_one(points, intercept, slope);
        let phi = (estimate + (2.0 + 4.0 * estimate) / count).clamp(0.0, MAX_PHI);
        (intercept, slope, standard_error) = prais_winsten(points, phi)?;
        #[cfg(test)]
        {
            last_phi = phi;
        }
    }
    // intercept, slope and φ were estimated
    let t = if standard_error > 0.0 {
        slope / standard_error
    } else {
        slope.signum() * f64::INFINITY
    };
    let p_value = if slope == 0.0 {
        0.5
    } else {
        student_upper_tail(t, count - 3.0)
    };
    Some(TrendTest {
        standard_error,
        p_value,
        #[cfg(test)]
        phi: last_phi,
    })
}

/// Lag-1 autocorrelation of what the line leaves over; zero when nothing is left.
fn lag_one(points: &[(f64, f64)], intercept: f64, slope: f64) -> f64 {
    let residual = |&(x, y): &(f64, f64)| y - intercept - slope * x;
    let (mut products, mut squares) = (0.0, 0.0);
    let mut before = None;
    for point in points {
        let e = residual(point);
        squares += e * e;
        if let Some(before) = before {
            products += e * before;
        }
        before = Some(e);
    }
    if squares > 0.0 {
        products / squares
    } else {
        0.0
    }
}

/// Least squares of y on x after taking out AR(1) with the given φ, the first point kept.
/// Returns intercept, slope and the slope's standard error.
fn prais_winsten(points: &[(f64, f64)], phi: f64) -> Option<(f64, f64, f64)> {
    let first_weight = (1.0 - phi * phi).sqrt();
    let mut before: Option<(f64, f64)> = None;
    // sums of the transformed constant c, x and y
    let (mut cc, mut cx, mut xx, mut cy, mut xy, mut yy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    let (x0, y0) = *points.first()?;
    for &(x, y) in points {
        // centred on the first point: squares of absolute bytes would eat the precision
        let (x, y) = (x - x0, y - y0);
        let (c, tx, ty) = match before {
            None => (first_weight, first_weight * x, first_weight * y),
            Some((bx, by)) => (1.0 - phi, x - phi * bx, y - phi * by),
        };
        before = Some((x, y));
        cc += c * c;
        cx += c * tx;
        xx += tx * tx;
        cy += c * ty;
        xy += tx * ty;
        yy += ty * ty;
    }
    let determinant = cc * xx - cx * cx;
    if determinant <= 1e-12 * cc * xx {
        return None;
    }
    let slope = (cc * xy - cx * cy) / determinant;
    let intercept = (xx * cy - cx * xy) / determinant;
    let rest = (yy - intercept * cy - slope * xy).max(0.0);
    let freedom = (points.len() as f64 - 3.0).max(1.0);
    let standard_error = (rest / freedom * cc / determinant).sqrt();
    Some((intercept + y0 - slope * x0, slope, standard_error))
}

/// A line through points that outliers do not bend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    /// Value at x = 0.
    pub(crate) intercept: f64,
    /// Rise per unit of x.
    pub(crate) slope: f64,
}

impl Line {
    pub(crate) fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }
}

/// The median of the slopes between all pairs (Theil 1950, Sen 1968), O(n²).
/// `None` for fewer than two points at different x.
pub(crate) fn theil_sen(points: &[(f64, f64)]) -> Option<Line> {
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (i, &(xi, yi)) in points.iter().enumerate() {
        for &(xj, yj) in points.iter().skip(i + 1) {
            if xj != xi {
                slopes.push((yj - yi) / (xj - xi));
            }
        }
    }
    let slope = median(&mut slopes)?;
    let mut intercepts: Vec<f64> = points.iter().map(|&(x, y)| y - slope * x).collect();
    let intercept = median(&mut intercepts)?;
    Some(Line { intercept, slope })
}

/// The median (the upper one of an even number); reorders `values`.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    Some(*values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

/// Two straight pieces that meet: the best single bend in a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bend {
    /// Where the pieces meet.
    pub(crate) at: f64,
    /// Slope up to there.
    pub(crate) slope_before: f64,
    /// Slope from there on.
    pub(crate) slope_after: f64,
    /// Squared error with the bend over squared error of one straight line, 0 to 1.
    pub(crate) error_ratio: f64,
}

/// Finds the bend with the least squared error, in O(n) by sums over suffixes. Each piece keeps
/// at least `margin` points. `None` when there are too few points or they lie on a line.
pub(crate) fn bend(points: &[(f64, f64)], margin: usize) -> Option<Bend> {
    let n = points.len();
    let margin = margin.max(2);
    if n < 2 * margin {
        return None;
    }
    let ((x_first, y_first), (x_last, _)) = (*points.first()?, *points.last()?);
    let x_scale = x_last - x_first;
    let y_scale = points
        .iter()
        .map(|p| (p.1 - y_first).abs())
        .fold(0.0, f64::max);
    if x_scale <= 0.0 || y_scale <= 0.0 {
        return None;
    }
    let scaled = points
        .iter()
        .map(|&(x, y)| ((x - x_first) / x_scale, (y - y_first) / y_scale));
    let total = scaled.clone().fold(Sums::default(), Sums::with);
    let straight = total.error(None)?;
    if straight <= 1e-9 {
        return None;
    }
    let mut suffix = Sums::default();
    let mut best: Option<(f64, f64, [f64; 3])> = None;
    for (i, point) in scaled.enumerate().collect::<Vec<_>>().into_iter().rev() {
        suffix = suffix.with(point);
        if i + 1 < margin || i + margin > n {
            continue;
        }
        let knot = point.0;
        if let Some((error, coefficients)) = total.solve_with_hinge(&suffix, knot)
            && best.is_none_or(|(least, ..)| error < least)
        {
            best = Some((error, knot, coefficients));
        }
    }
    let (error, knot, [_, before, change]) = best?;
    let unit = y_scale / x_scale;
    Some(Bend {
        at: x_first + knot * x_scale,
        slope_before: before * unit,
        slope_after: (before + change) * unit,
        error_ratio: (error / straight).clamp(0.0, 1.0),
    })
}

/// Sums from which least-squares fits follow.
#[derive(Clone, Copy, Default)]
struct Sums {
    n: f64,
    x: f64,
    xx: f64,
    y: f64,
    xy: f64,
    yy: f64,
}

impl Sums {
    fn with(mut self, (x, y): (f64, f64)) -> Self {
        self.n += 1.0;
        self.x += x;
        self.xx += x * x;
        self.y += y;
        self.xy += x * y;
        self.yy += y * y;
        self
    }

    /// Squared error of the best line, or with the hinge columns given.
    fn error(&self, hinge: Option<[f64; 4]>) -> Option<f64> {
        self.fit(hinge).map(|(error, _)| error)
    }

    /// `y = a + b·x + c·max(0, x - knot)`; `after` sums the points from the knot on.
    fn solve_with_hinge(&self, after: &Sums, knot: f64) -> Option<(f64, [f64; 3])> {
        let h = after.x - knot * after.n;
        let xh = after.xx - knot * after.x;
        let hh = after.xx - 2.0 * knot * after.x + knot * knot * after.n;
        let yh = after.xy - knot * after.y;
        self.fit(Some([h, xh, hh, yh]))
    }

    fn fit(&self, hinge: Option<[f64; 4]>) -> Option<(f64, [f64; 3])> {
        let [h, xh, hh, yh] = hinge.unwrap_or([0.0, 0.0, 1.0, 0.0]);
        let rows = [
            [self.n, self.x, h, self.y],
            [self.x, self.xx, xh, self.xy],
            [h, xh, hh, yh],
        ];
        let [a, b, c] = solve(rows)?;
        let error = self.yy - a * self.y - b * self.xy - c * yh;
        Some((error.max(0.0), [a, b, c]))
    }
}

/// Solves three equations, each row holding its coefficients and its right side.
fn solve(mut rows: [[f64; 4]; 3]) -> Option<[f64; 3]> {
    for column in 0..3 {
        let pivot = (column..3).max_by(|&a, &b| {
            let size = |row: usize| rows[row][column].abs();
            size(a).total_cmp(&size(b))
        })?;
        rows.swap(column, pivot);
        if rows[column][column].abs() < 1e-12 {
            return None;
        }
        let pivot_row = rows[column];
        for (i, row) in rows.iter_mut().enumerate() {
            if i != column {
                let factor = row[column] / pivot_row[column];
                for (cell, pivot) in row.iter_mut().zip(pivot_row) {
                    *cell -= factor * pivot;
                }
            }
        }
    }
    Some([
        rows[0][3] / rows[0][0],
        rows[1][3] / rows[1][1],
        rows[2][3] / rows[2][2],
    ])
}

/// The chance that Student's t with `freedom` degrees of freedom exceeds `t`.
fn student_upper_tail(t: f64, freedom: f64) -> f64 {
    if t.is_infinite() {
        return if t > 0.0 { 0.0 } else { 1.0 };
    }
    let tail = 0.5 * incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5);
    if t > 0.0 { tail } else { 1.0 - tail }
}

/// Regularised incomplete beta function by its continued fraction (DLMF 8.17.22).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // the fraction converges fast only on this side
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front = (log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * x.ln() + b * (1.0 - x).ln())
        .exp()
        / a;
    const TINY: f64 = 1e-300;
    let guard = |value: f64| if value.abs() < TINY { TINY } else { value };
    // modified Lentz
    let (mut f, mut c, mut d) = (1.0, 1.0, 0.0);
    for i in 0..200 {
        let m = f64::from(i / 2);
        let numerator = if i == 0 {
            1.0
        } else if i % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        d = 1.0 / guard(1.0 + numerator * d);
        c = guard(1.0 + numerator / c);
        f *= c * d;
        if (1.0 - c * d).abs() < 1e-12 {
            break;
        }
    }
    front * (f - 1.0)
}

/// Logarithm of the gamma function (Lanczos, g = 5, six terms; error below 2e-10).
fn log_gamma(x: f64) -> f64 {
    const TERMS: [f64; 6] = [
        76.180_091_729_471_46,
        -86.505_320_329_416_77,
        24.014_098_240_830_91,
        -1.231_739_572_450_155,
        0.120_865_097_386_617_9e-2,
        -0.539_523_938_495_3e-5,
    ];
    let t = x + 5.5;
    let mut series = 1.000_000_000_190_015;
    let mut denominator = x;
    for term in TERMS {
        denominator += 1.0;
        series += term / denominator;
    }
    (x + 0.5) * t.ln() - t + (2.506_628_274_631_000_5 * series / x).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::Random;

    #[test]
    fn tails_of_student() {
        // two-sided 5 % points from printed tables
        for (freedom, t) in [(3.0, 3.182), (9.0, 2.262), (30.0, 2.042), (200.0, 1.972)] {
            let p = student_upper_tail(t, freedom);
            assert!((p - 0.025).abs() < 2e-4, "{freedom}: {p}");
            assert!((student_upper_tail(-t, freedom) - 0.975).abs() < 2e-4);
        }
        assert!((student_upper_tail(0.0, 5.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn lines_survive_outliers() {
        let mut points: Vec<_> = (0..20)
            .map(|i| (f64::from(i), 3.0 + 2.0 * f64::from(i)))
            .collect();
        points[4].1 = 1e6;
        points[9].1 = -1e6;
        let line = theil_sen(&points).unwrap();
        assert!((line.slope - 2.0).abs() < 1e-9 && (line.at(10.0) - 23.0).abs() < 1e-9);
        assert_eq!(theil_sen(&[(1.0, 1.0), (1.0, 2.0)]), None);
    }

    #[test]
    fn bends_are_found() {
        let points: Vec<_> = (0..40)
            .map(|i| (f64::from(i), 100.0 + 5.0 * f64::from((i - 25).max(0))))
            .collect();
        let bend = bend(&points, 3).unwrap();
        assert!((bend.at - 25.0).abs() < 1e-6, "{bend:?}");
        assert!(bend.slope_before.abs() < 1e-6 && (bend.slope_after - 5.0).abs() < 1e-6);
        assert!(bend.error_ratio < 1e-6);
        let straight: Vec<_> = (0..40).map(|i| (f64::from(i), f64::from(i))).collect();
        assert_eq!(super::bend(&straight, 3), None);
    }

    /// How often noise without a trend is called rising at a nominal 2.5 %, in percent.
    fn false_alarms(phi: f64, n: usize, runs: u32) -> f64 {
        let mut random = Random::new(7);
        let alarms = (0..runs)
            .filter(|_| {
                let mut noise = random.normal() / (1.0 - phi * phi).sqrt();
                let points: Vec<_> = (0..n)
                    .map(|i| {
                        noise = phi * noise + random.normal();
                        (i as f64, noise)
                    })
                    .collect();
                test_trend(&points).unwrap().p_value < 0.025
            })
            .count();
        100.0 * alarms as f64 / f64::from(runs)
    }

    #[test]
    fn the_trend_test_holds_its_level_under_autocorrelation() {
        for (phi, at_most) in [(0.0, 3.5), (0.5, 4.0), (0.8, 5.0), (0.95, 8.0)] {
            let rate = false_alarms(phi, 168, 2000);
            assert!(rate <= at_most, "phi {phi}: {rate} %");
            assert!(
                rate >= 0.3,
                "phi {phi}: {rate} %, so blunt that it finds nothing"
            );
        }
    }

    #[test]
    fn the_trend_test_has_power() {
        // growth of three standard deviations over the window
        let mut random = Random::new(3);
        let phi = 0.8_f64;
        let scale = 1.0 / (1.0 - phi * phi).sqrt();
        let mut noise = 0.0;
        let found = (0..300)
            .filter(|_| {
                let points: Vec<_> = (0..168)
                    .map(|i| {
                        noise = phi * noise + random.normal();
                        (f64::from(i), noise + 3.0 * scale * f64::from(i) / 168.0)
                    })
                    .collect();
                test_trend(&points).unwrap().p_value < 0.025
            })
            .count();
        assert!(found > 240, "{found} of 300");
    }

    #[test]
    fn autocorrelation_is_estimated() {
        let mut random = Random::new(11);
        let mut noise = 0.0;
        let points: Vec<_> = (0..2000)
            .map(|i| {
                noise = 0.7 * noise + random.normal();
                (f64::from(i), noise)
            })
            .collect();
        let phi = test_trend(&points).unwrap().phi;
        assert!((phi - 0.7).abs() < 0.05, "{phi}");
    }

    #[test]
    fn degenerate_points_give_no_test() {
        assert_eq!(test_trend(&[(0.0, 1.0); 10]), None);
        assert_eq!(test_trend(&[(0.0, 1.0), (1.0, 2.0)]), None);
        let flat: Vec<_> = (0..10).map(|i| (f64::from(i), 5.0)).collect();
        assert!(test_trend(&flat).unwrap().p_value >= 0.5);
    }
}
