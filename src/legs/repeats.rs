//! Which of many digests may be there more than once: where most are alone, none need be sorted or looked up.

/// Two bits for each digest, of which several may share theirs.
pub struct Repeats {
    once: Vec<u64>,
    again: Vec<u64>,
}

impl Repeats {
    /// Of `digests`, about `count` of them, whose low bits must be well mixed.
    pub fn of(digests: impl Iterator<Item = u64>, count: usize) -> Repeats {
        let words = (count * ROOM / BITS).next_power_of_two();
        let mut repeats = Repeats { once: vec![0; words], again: vec![0; words] };
        for digest in digests {
            let (word, bit) = repeats.place(digest);
            repeats.again[word] |= repeats.once[word] & bit;
            repeats.once[word] |= bit;
        }
        repeats
    }

    /// Whether this digest may be there more than once. Where it is, this is true; where it is alone, seldom.
    pub fn may_have(&self, digest: u64) -> bool {
        let (word, bit) = self.place(digest);
        self.again[word] & bit != 0
    }

    fn place(&self, digest: u64) -> (usize, u64) {
        let bit = digest as usize & (self.once.len() * BITS - 1);
        (bit / BITS, 1 << (bit % BITS))
    }
}

const BITS: usize = u64::BITS as usize;

/// Bits for each digest, so that one in so many shares that of another by chance.
const ROOM: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_that_is_there_twice_is_found_and_one_that_is_alone_seldom() {
        let mixed = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
        for count in [0, 1, 100, 10_000] {
            let digests = (0..count).chain((0..count).step_by(10)).map(mixed);
            let repeats = Repeats::of(digests, count as usize);
            assert!((0..count).step_by(10).all(|n| repeats.may_have(mixed(n))));
            let alone = (0..count).filter(|n| n % 10 != 0);
            let wrong = alone.filter(|&n| repeats.may_have(mixed(n))).count() as u64;
            assert!(wrong <= count / 5, "{wrong} of {count}");
        }
    }
}
