//! Which partition a key goes to: murmur2, bit for bit as Kafka's Java client computes it.

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;

/// `Utils.toPositive(Utils.murmur2(key)) % partitions`, so that co-partitioning with Java services holds
/// (<https://github.com/apache/kafka/blob/4.1.1/clients/src/main/java/org/apache/kafka/clients/producer/internals/BuiltInPartitioner.java>).
///
/// None where there is no partition.
pub fn partition(key: &[u8], partitions: i32) -> Option<i32> {
    let positive = i32::try_from(murmur2(key) & 0x7fff_ffff).ok()?;
    positive.checked_rem(partitions).filter(|_| partitions > 0)
}

/// `Utils.murmur2`
/// (<https://github.com/apache/kafka/blob/4.1.1/clients/src/main/java/org/apache/kafka/common/utils/Utils.java>).
fn murmur2(key: &[u8]) -> u32 {
    // Java's length is an int: keys are far below 2 GiB.
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        k ^= k >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ k.wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        for (byte, shift) in rest.iter().zip([0, 8, 16]) {
            hash ^= u32::from(*byte) << shift;
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_is_that_of_the_java_client() {
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), hash.cast_unsigned(), "{key}");
        }
    }

    #[test]
    fn partitions_are_in_range() {
        assert_eq!(partition(b"foobar", 6), Some((-790_332_482_i32 & 0x7fff_ffff) % 6));
        assert_eq!(partition(b"", 1), Some(0));
        assert_eq!(partition(b"abc", 0), None);
        assert_eq!(partition(b"abc", -1), None);
    }
}
