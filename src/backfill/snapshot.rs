//! Which transactions a snapshot sees.

use std::str::FromStr;

/// The id whose lower half is `low`, as the stream tells it, that never wraps round (`xid8`); of all such ids the one
/// nearest to `near`.
///
/// Ids that a server still tells apart lie within 2^31 of each other
/// (<https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-WRAPAROUND>), so with any id of about the
/// same time for `near` there is only one.
fn widen(low: u32, near: u64) -> u64 {
    let same = (near >> 32 << 32) | u64::from(low);
    let other = if same > near {
        same.checked_sub(1 << 32)
    } else {
        same.checked_add(1 << 32)
    };
    match other {
        Some(other) if other.abs_diff(near) < same.abs_diff(near) => other,
        Some(_) | None => same,
    }
}

/// What `pg_current_snapshot()` says: a transaction is seen if it ended before.
///
/// Only ids of whole transactions stand in it, as in the stream: what a subtransaction did is seen with the transaction
/// around it. One that is prepared is in progress until COMMIT PREPARED, which is when the stream tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    xmin: u64,
    xmax: u64,
    in_progress: Vec<u64>,
}

/// A text that is no snapshot.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read a snapshot: expected xmin:xmax:xip,… such as 10:20:10,14")]
pub struct SnapshotError;

impl Snapshot {
    /// Whether what the transaction did is seen, provided that it committed. Its id is the stream's, of about the time of
    /// the snapshot: a few hundred million transactions before or after it.
    pub fn sees(&self, xid: u32) -> bool {
        let xid = widen(xid, self.xmax);
        xid < self.xmin || xid < self.xmax && self.in_progress.binary_search(&xid).is_err()
    }

    /// The first id that was not yet given out.
    pub fn next(&self) -> u64 {
        self.xmax
    }
}

impl FromStr for Snapshot {
    type Err = SnapshotError;

    /// Reads the text form of `pg_snapshot`
    /// (<https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT-PARTS>).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let xid = |text: &str| text.parse().map_err(|_| SnapshotError);
        let mut parts = text.split(':');
        let (Some(xmin), Some(xmax), Some(list), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SnapshotError);
        };
        let listed = list.split(',').filter(|_| !list.is_empty());
        let mut in_progress = listed.map(xid).collect::<Result<Vec<_>, _>>()?;
        in_progress.sort_unstable();
        Ok(Self {
            xmin: xid(xmin)?,
            xmax: xid(xmax)?,
            in_progress,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_sees_what_ended_before_it() {
        let snapshot: Snapshot = "10:20:10,14".parse().unwrap();
        let seen: Vec<u32> = (8..22).filter(|xid| snapshot.sees(*xid)).collect();
        assert_eq!(seen, [8, 9, 11, 12, 13, 15, 16, 17, 18, 19]);
        assert!("10:10:".parse::<Snapshot>().unwrap().sees(9));
        // Over a wrap, from both sides.
        let late: Snapshot = "4294967300:4294967302:4294967300".parse().unwrap();
        let seen = [u32::MAX, 3, 4, 5, 6].map(|xid| late.sees(xid));
        assert_eq!(seen, [true, true, false, true, false]);
        for bad in ["", "10", "10:20", "10:20:x", "10:20:1:2", "a:20:", "10:20:1,"] {
            assert_eq!(bad.parse::<Snapshot>(), Err(SnapshotError), "{bad}");
        }
    }

    #[test]
    fn half_an_id_is_widened_over_a_wrap() {
        let epoch = 1_u64 << 32;
        for (low, near, wide) in [
            (7, 9, 7),
            (7, epoch + 9, epoch + 7),
            (u32::MAX, epoch + 9, epoch - 1),
            (3, epoch - 2, epoch + 3),
            (u32::MAX, 5, u64::from(u32::MAX)),
        ] {
            assert_eq!(widen(low, near), wide, "{low} near {near}");
        }
    }
}
