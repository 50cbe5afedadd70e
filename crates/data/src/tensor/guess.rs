//! Numbers that nobody declared: bytes that are clearly more regular as floats.

use std::io::{Read, Seek};

use super::{Element, Kind, Numbers, Region, Unreadable, read_at};

/// Shorter files are left as they are: a guess would rest on too little.
const LEAST_BYTES: u64 = 4096;

/// A file is looked at window by window, each by the sample at its begin.
const WINDOW: u64 = 1 << 20;
const SAMPLE: u64 = 1 << 16;

/// Order-0 entropy has to fall by this much to speak of floats: texts, code and images fall by less than 2 %, weights by 15 % and more.
const CLEARLY: f64 = 0.92;

/// A wider element has to be this much better than a narrower one, of which it may be a pair.
const WIDER: f64 = 0.98;

/// The whole file, if any of it holds floats.
pub(super) fn find<R: Read + Seek>(input: &mut R, bytes: u64) -> Result<Option<Numbers>, Unreadable> {
    let regions = regions(input, 0, bytes)?;
    Ok(Some(Numbers { kind: Kind::Undeclared, regions, tensors: vec![] }).filter(|numbers| !numbers.regions.is_empty()))
}

/// The floats among the `bytes` bytes from `offset` on.
pub(super) fn regions<R: Read + Seek>(input: &mut R, offset: u64, bytes: u64) -> Result<Vec<Region>, Unreadable> {
    let mut regions: Vec<Region> = Vec::new();
    if bytes < LEAST_BYTES {
        return Ok(regions);
    }
    for window in 0..bytes.div_ceil(WINDOW) {
        let (begin, end) = (window * WINDOW, bytes.min((window + 1) * WINDOW));
        let sample = read_at(input, offset + begin, (end - begin).min(SAMPLE))?;
        let Some((element, phase)) = guess(&sample) else { continue };
        // Elements lie at the same phase in all windows, which are a multiple of eight bytes apart.
        let first = offset + begin + phase;
        let whole = (offset + end - first) / element.bytes() * element.bytes();
        match regions.last_mut() {
            Some(last)
                if last.element == element
                    && first - (last.offset + last.bytes) <= element.bytes()
                    && (first - last.offset).is_multiple_of(element.bytes()) =>
            {
                last.bytes = first - last.offset + whole;
            }
            _ => regions.push(Region { offset: first, bytes: whole, element }),
        }
    }
    Ok(regions)
}

/// The element that `sample` is clearly more regular as, and where in it the first begins.
fn guess(sample: &[u8]) -> Option<(Element, u64)> {
    if (sample.len() as u64) < LEAST_BYTES {
        return None;
    }
    let mut best: Option<(f64, Element, u64)> = None;
    let mut to_beat = entropy(sample.iter()) * CLEARLY;
    // `F16` and `Bf16` come apart alike.
    for element in [Element::Bf16, Element::F32, Element::F64] {
        let width = element.bytes() as usize;
        let planes: Vec<f64> = (0..width).map(|at| entropy(sample.iter().skip(at).step_by(width))).collect();
        // Bytes at equal places cost the same wherever elements begin; the byte that holds the exponent, the most regular, ends one.
        let mean = planes.iter().sum::<f64>() / width as f64;
        if mean < to_beat {
            let top = (0..width).min_by(|&a, &b| planes[a].total_cmp(&planes[b]).then(b.cmp(&a))).unwrap_or(0);
            best = Some((mean, element, ((top + 1) % width) as u64));
            to_beat = mean * WIDER;
        }
    }
    best.map(|(_, element, phase)| (element, phase))
}

/// Bits a byte.
fn entropy<'a>(bytes: impl Iterator<Item = &'a u8>) -> f64 {
    let mut counts = [0u32; 256];
    bytes.for_each(|&byte| counts[usize::from(byte)] += 1);
    let total = f64::from(counts.iter().sum::<u32>().max(1));
    counts.iter().filter(|&&count| count > 0).map(|&count| f64::from(count) / total).map(|share| -share * share.log2()).sum()
}
