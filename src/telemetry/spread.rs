//! A histogram that takes many equal observations in one step, without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// The sum is kept in millionths, so that it can be added to by one atomic step.
const MILLIONTHS: f64 = 1e6;

/// Observations by size.
#[derive(Clone, Debug)]
pub(super) struct Spread(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Upper bound, and how many lie under it and over the one before.
    buckets: Vec<(f64, AtomicU64)>,
    sum_millionths: AtomicU64,
}

impl Spread {
    /// With these upper bounds, rising; what lies above all of them has a bucket too.
    pub(super) fn new(bounds: &[f64]) -> Self {
        let bounds = bounds.iter().copied().chain([f64::INFINITY]);
        Self(Arc::new(Inner {
            buckets: bounds.map(|bound| (bound, AtomicU64::new(0))).collect(),
            sum_millionths: AtomicU64::new(0),
        }))
    }

    /// Adds `times` observations of one size, given in millionths.
    pub(super) fn observe(&self, millionths: u64, times: u64) {
        let size = whole(millionths) / MILLIONTHS;
        if let Some((_, count)) = self.0.buckets.iter().find(|(bound, _)| size <= *bound) {
            count.fetch_add(times, Ordering::Relaxed);
        }
        self.0
            .sum_millionths
            .fetch_add(millionths.saturating_mul(times), Ordering::Relaxed);
    }
}

impl EncodeMetric for Spread {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let read = |(bound, count): &(f64, AtomicU64)| (*bound, count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = self.0.buckets.iter().map(read).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = whole(self.0.sum_millionths.load(Ordering::Relaxed)) / MILLIONTHS;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// The nearest floating-point number.
#[expect(
    clippy::as_conversions,
    reason = "std has no other way from u64 to f64; a metric may round"
)]
fn whole(number: u64) -> f64 {
    number as f64
}
