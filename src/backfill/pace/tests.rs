//! Chunks follow the time that they take and the rates that are allowed.

use super::*;

const FREE: Limits = Limits {
    rows_per_chunk: 10_000,
    rows_per_second: 0,
    bytes_per_second: 0,
};

/// What a whole chunk of rows of 10 bytes costs at so many rows a millisecond.
fn cost(rows: usize, rows_per_ms: usize) -> Cost {
    Cost {
        rows_max: rows,
        rows,
        bytes: rows * 10,
        spent: Duration::from_micros(u64::try_from(rows * 1_000 / rows_per_ms).unwrap()),
        cut: Cut::No,
        others: Others::Quiet,
    }
}

#[test]
fn chunks_are_small_beside_others_and_never_tiny() {
    let mut pace = Pace::new(FREE);
    let read = |pace: &mut Pace, others, rows_per_ms| {
        let asked = pace.rows();
        pace.read(
            Duration::ZERO,
            &Cost {
                others,
                bytes: asked * 200,
                ..cost(asked, rows_per_ms)
            },
        );
    };
    for _ in 0..9 {
        read(&mut pace, Others::Quiet, 1_000);
    }
    let alone = pace.rows();
    read(&mut pace, Others::AtWork, 1_000);
    assert_eq!(pace.rows(), alone / 4);
    read(&mut pace, Others::Quiet, 1_000);
    assert_eq!(pace.rows(), alone / 4 * 2, "it grows again, by steps");
    for _ in 0..9 {
        let slow = Cost {
            spent: Duration::from_secs(9),
            ..cost(pace.rows(), 1)
        };
        pace.read(Duration::ZERO, &slow);
    }
    assert_eq!(pace.rows(), ROWS_MIN);
}

#[test]
fn a_table_that_grows_is_told_twice_as_fast() {
    let mut pace = Pace::new(FREE);
    let mut read = |came: usize, rows: usize| {
        (0..came).for_each(|_| pace.grew());
        pace.read(Duration::ZERO, &cost(rows, 10));
        pace.haste()
    };
    assert_eq!(read(0, 100), Haste::No);
    assert_eq!(read(50, 100), Haste::No);
    assert_eq!(read(200, 100), Haste::Yes);
    // It is owed until it is told, also where little comes meanwhile.
    assert_eq!(read(0, 200), Haste::Yes);
    assert_eq!(read(25, 150), Haste::No);
    assert_eq!(read(1, 0), Haste::Yes);
    pace.begin_anew();
    assert_eq!(pace.haste(), Haste::No, "another table");
}

/// Reads for so long, and gives rows, bytes and chunks that were read, and the most rows of a second.
fn read_for(limits: Limits, seconds: u64, row_bytes: usize) -> (usize, usize, usize, usize) {
    let mut pace = Pace::new(limits);
    let (mut rows_all, mut chunks) = (0, 0);
    let mut each = vec![0; usize::try_from(seconds).unwrap()];
    for at in 0..seconds * 1_000 {
        let now = Duration::from_millis(at);
        if pace.may_ask(now, 0) {
            let asked = pace.rows();
            pace.asked(now, asked);
            let rows = asked.min(pace.bytes() / row_bytes).max(1);
            let cost = Cost {
                rows,
                bytes: rows * row_bytes,
                cut: if rows < asked { Cut::BySize } else { Cut::No },
                ..cost(asked, 100)
            };
            pace.read(now, &cost);
            rows_all += rows;
            chunks += 1;
            each[usize::try_from(at / 1_000).unwrap()] += rows;
        }
    }
    (rows_all, rows_all * row_bytes, chunks, each.into_iter().max().unwrap())
}

#[test]
fn rows_come_at_the_rate_that_is_allowed() {
    let limits = Limits {
        rows_per_second: 300,
        ..FREE
    };
    let (rows, _, chunks, busiest) = read_for(limits, 60, 100);
    assert!((17_700..=18_300).contains(&rows), "{rows} rows in a minute");
    assert!((55..=65).contains(&chunks), "{chunks} chunks");
    assert!(busiest <= 600, "{busiest} rows in one second");
    let one = Limits {
        rows_per_second: 1,
        ..FREE
    };
    assert_eq!(read_for(one, 20, 100).0, 20);
}

#[test]
fn bytes_come_at_the_rate_that_is_allowed() {
    let limits = Limits {
        bytes_per_second: 50_000,
        ..FREE
    };
    let (_, bytes, chunks, busiest) = read_for(limits, 60, 400);
    assert!((2_900_000..=3_100_000).contains(&bytes), "{bytes} bytes in a minute");
    assert!(chunks >= 55, "{chunks} chunks");
    assert!(busiest <= 350, "{busiest} rows in one second");
    let (_, bytes, _, _) = read_for(limits, 60, 200_000);
    assert!(
        (2_800_000..=3_200_000).contains(&bytes),
        "{bytes} bytes of rows that are larger than a second's"
    );
}

#[test]
fn bytes_that_are_not_counted_yet_are_waited_for() {
    let limits = Limits {
        bytes_per_second: 1_000_000,
        ..FREE
    };
    let now = Duration::ZERO;
    assert!(Pace::new(limits).may_ask(now, 0) && !Pace::new(limits).may_ask(now, 1));
    assert!(Pace::new(FREE).may_ask(now, 1));
}

#[test]
fn time_that_was_not_used_is_not_made_up_for() {
    let mut pace = Pace::new(Limits {
        rows_per_second: 100,
        ..FREE
    });
    let begun = Duration::ZERO;
    pace.asked(begun, 100);
    let later = begun + Duration::from_secs(60);
    assert!(pace.may_ask(later, 0));
    pace.asked(later, 100);
    assert!(!pace.may_ask(later + Duration::from_millis(999), 0));
    assert!(pace.may_ask(later + Duration::from_secs(1), 0));
}

#[test]
fn a_chunk_takes_about_as_long_as_it_should() {
    for rows_per_ms in [1, 10, 19] {
        let mut pace = Pace::new(FREE);
        for _ in 0..20 {
            let rows = pace.rows();
            pace.read(Duration::ZERO, &cost(rows, rows_per_ms));
        }
        let millis = pace.rows() / rows_per_ms;
        assert!((450..=550).contains(&millis), "{rows_per_ms}: {millis} ms");
    }
}

#[test]
fn it_grows_and_shrinks_by_steps_within_its_limits() {
    let mut pace = Pace::new(FREE);
    let mut sizes = Vec::new();
    for _ in 0..6 {
        sizes.push(pace.rows());
        pace.read(Duration::ZERO, &cost(pace.rows(), 1_000));
    }
    assert_eq!(sizes, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    let slow = Cost {
        spent: Duration::from_secs(60),
        ..cost(10_000, 1)
    };
    pace.read(Duration::ZERO, &slow);
    assert_eq!(pace.rows(), 2_500);
    for _ in 0..20 {
        let slow = Cost {
            rows_max: pace.rows(),
            ..slow
        };
        pace.read(Duration::ZERO, &slow);
    }
    assert_eq!(pace.rows(), ROWS_MIN);
    let few = Limits {
        rows_per_chunk: 50,
        ..FREE
    };
    assert_eq!(Pace::new(few).rows(), 50);
}

#[test]
fn wide_rows_are_asked_for_in_chunks_that_fit() {
    let mut pace = Pace::new(FREE);
    let cut = Cost {
        rows: 100,
        bytes: CHUNK_BYTES_MAX,
        cut: Cut::BySize,
        ..cost(1_000, 1_000)
    };
    pace.read(Duration::ZERO, &cut);
    assert_eq!(pace.rows(), 12);
    let sparse = Cost {
        rows: 3,
        bytes: 3 << 20,
        ..cost(8_000, 1_000)
    };
    let mut pace = Pace::new(FREE);
    pace.read(Duration::ZERO, &sparse);
    assert_eq!(pace.rows(), 10_000, "what is passed by takes no memory");
}
