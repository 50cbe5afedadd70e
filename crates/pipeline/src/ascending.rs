//! Numbers of items, ascending, in a byte or two each: there may be millions of them.

/// Steps from each number to the next, 7 bits a byte, low bits first; the high bit says that more follow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ascending(Box<[u8]>);

impl Ascending {
    /// Of numbers that are in order.
    pub(crate) fn new(numbers: &[usize]) -> Self {
        let (mut bytes, mut last) = (Vec::with_capacity(numbers.len() + 4), 0);
        for &number in numbers {
            let mut step = number - last;
            while step >= 0x80 {
                bytes.push(step as u8 | 0x80);
                step >>= 7;
            }
            bytes.push(step as u8);
            last = number;
        }
        Self(bytes.into())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        let (mut bytes, mut last) = (self.0.iter(), 0);
        std::iter::from_fn(move || {
            let (mut step, mut shift) = (0, 0);
            loop {
                let byte = usize::from(*bytes.next()?);
                step |= (byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    last += step;
                    return Some(last);
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for numbers in [&[][..], &[0], &[7, 7, 8, 135, 136, 1 << 20, u32::MAX as usize]] {
            assert_eq!(Ascending::new(numbers).iter().collect::<Vec<_>>(), numbers);
        }
        assert_eq!(Ascending::new(&(1000..2000).collect::<Vec<_>>()).0.len(), 1001);
    }
}
