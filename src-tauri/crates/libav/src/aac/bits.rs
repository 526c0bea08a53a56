/// Reads bits, the highest of a byte first.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// Bits read so far.
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The next `n` bits, at most 24; `None` beyond the end.
    pub(super) fn take(&mut self, n: usize) -> Option<u32> {
        if n > 24 || self.at + n > self.bytes.len() * 8 {
            return None;
        }
        let first = self.at / 8;
        let word = (0..4).fold(0_u32, |word, i| word << 8 | u32::from(self.bytes.get(first + i).copied().unwrap_or(0)));
        let value = (word << (self.at % 8)) >> 8 >> (24 - n);
        self.at += n;
        Some(value)
    }
}

/// Writes bits, the highest of a byte first.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    /// Bits written so far.
    at: usize,
}

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), at: 0 }
    }

    /// The lowest `n` bits of `value`, at most 24.
    pub(super) fn put(&mut self, value: u32, n: usize) {
        self.bytes.resize((self.at + n).div_ceil(8), 0);
        // At the top of 32 bits, then moved to where the last byte has room.
        let word = (u64::from(value) & ((1 << n) - 1)) << (40 - n - self.at % 8);
        for (byte, more) in self.bytes[self.at / 8..].iter_mut().zip(&word.to_be_bytes()[3..]) {
            *byte |= more;
        }
        self.at += n;
    }

    /// The bits `from` has left before its bit `end`.
    pub(super) fn copy(&mut self, from: &mut Reader<'_>, end: usize) -> Option<()> {
        while from.at < end {
            let n = (end - from.at).min(24);
            self.put(from.take(n)?, n);
        }
        Some(())
    }

    /// Filled up with zeros to a whole byte.
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        // Every length at every place in a byte.
        for shift in 0..8 {
            let mut writer = Writer::with_capacity(0);
            writer.put(0x5A, shift);
            for n in 1..=24 {
                writer.put(0xFFA5_C396 ^ n as u32, n);
            }
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.take(shift), Some(0x5A & ((1 << shift) - 1)));
            for n in 1..=24 {
                assert_eq!(reader.take(n), Some((0xFFA5_C396 ^ n as u32) & ((1 << n) - 1)), "{n} bits after {shift}");
            }
            let mut copied = Writer::with_capacity(0);
            copied.put(1, 3);
            let end = bytes.len() * 8 - 2;
            let mut from = Reader::new(&bytes);
            assert_eq!(copied.copy(&mut from, end), Some(()));
            let copied = copied.finish();
            let (mut one, mut other) = (Reader::new(&bytes), Reader::new(&copied));
            assert_eq!(other.take(3), Some(1));
            while one.at() < end {
                assert_eq!(one.take(1), other.take(1));
            }
        }
    }

    #[test]
    fn nothing_is_read_beyond_the_end() {
        let mut reader = Reader::new(&[0xFF, 0x00]);
        assert_eq!(reader.take(12), Some(0xFF0));
        assert_eq!(reader.take(5), None);
        assert_eq!(reader.take(4), Some(0));
        assert_eq!(reader.take(1), None);
        assert_eq!(Writer::with_capacity(0).copy(&mut Reader::new(&[1]), 9), None);
    }
}
