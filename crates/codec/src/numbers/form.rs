//! What kind of number a span of bytes holds, and how numbers come apart into planes.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "widths are 1, 2, 4 or 8; planes are as long as their numbers are many")]

/// The form of the numbers in a span. All are little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Bytes of any meaning: headers, texts, what is not known.
    Bytes,
    /// Numbers of one byte: `i8`, `u8`, floats of 8 bits.
    Integer8,
    /// Integers of two bytes.
    Integer16,
    /// Floats of two bytes, with an exponent of 5 or 8 bits.
    Float16,
    /// Integers of four bytes.
    Integer32,
    /// Floats of four bytes.
    Float32,
    /// Integers of eight bytes.
    Integer64,
    /// Floats of eight bytes.
    Float64,
}

/// All forms in the order of their codes.
pub(super) const FORMS: [Form; 8] =
    [Form::Bytes, Form::Integer8, Form::Integer16, Form::Float16, Form::Integer32, Form::Float32, Form::Integer64, Form::Float64];

/// Most planes that a number has.
pub(super) const MOST_PLANES: usize = 8;

impl Form {
    /// Bytes of a number.
    #[must_use]
    pub const fn width(self) -> usize {
        match self {
            Self::Bytes | Self::Integer8 => 1,
            Self::Integer16 | Self::Float16 => 2,
            Self::Integer32 | Self::Float32 => 4,
            Self::Integer64 | Self::Float64 => 8,
        }
    }

    /// Its place in [`FORMS`].
    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    const fn is_float(self) -> bool {
        matches!(self, Self::Float16 | Self::Float32 | Self::Float64)
    }
}

/// Takes numbers apart: plane 0 gets the highest byte of each. The highest 16 bits of a float are turned left by one first, so that
/// eight bits of its exponent fill plane 0 and its sign is the lowest bit of plane 1.
pub(super) fn split(form: Form, numbers: &[u8], planes: &mut [Vec<u8>; MOST_PLANES]) {
    planes.iter_mut().for_each(Vec::clear);
    let [p0, p1, p2, p3, rest @ ..] = planes;
    let turned = |number: u32, top: u32| {
        let high = (number >> top) as u16;
        if form.is_float() { high.rotate_left(1) } else { high }
    };
    match form.width() {
        1 => p0.extend_from_slice(numbers),
        2 => {
            let highs = || numbers.chunks_exact(2).map(|n| turned(u16::from_le_bytes([n[0], n[1]]).into(), 0));
            p0.extend(highs().map(|high| (high >> 8) as u8));
            p1.extend(highs().map(|high| high as u8));
        }
        4 => {
            let words = || numbers.chunks_exact(4).map(|n| u32::from_le_bytes([n[0], n[1], n[2], n[3]]));
            p0.extend(words().map(|word| (turned(word, 16) >> 8) as u8));
            p1.extend(words().map(|word| turned(word, 16) as u8));
            p2.extend(words().map(|word| (word >> 8) as u8));
            p3.extend(words().map(|word| word as u8));
        }
        _ => {
            let highs = || numbers.chunks_exact(8).map(|n| u32::from_le_bytes([n[4], n[5], n[6], n[7]]));
            p0.extend(highs().map(|word| (turned(word, 16) >> 8) as u8));
            p1.extend(highs().map(|word| turned(word, 16) as u8));
            p2.extend(highs().map(|word| (word >> 8) as u8));
            p3.extend(highs().map(|word| word as u8));
            for (place, plane) in [3, 2, 1, 0].into_iter().zip(rest) {
                plane.extend(numbers.chunks_exact(8).map(|n| n[place]));
            }
        }
    }
}

/// Puts numbers together again: the inverse of [`split`]. Every plane holds a byte for each number that fits `out`.
pub(super) fn join(form: Form, planes: &[&[u8]; MOST_PLANES], out: &mut [u8]) {
    let [p0, p1, p2, p3, rest @ ..] = planes;
    let is_float = form.is_float();
    match (form.width(), is_float) {
        (1, _) => out.copy_from_slice(p0),
        (2, _) => join16_by(is_float, p0, p1, out),
        (4, _) => join32_by(is_float, [p0, p1, p2, p3], out),
        _ => {
            let highs = p0.iter().zip(*p1).zip(*p2).zip(*p3);
            let lows = rest[0].iter().zip(rest[1]).zip(rest[2]).zip(rest[3]);
            for ((out, (((&a, &b), &c), &d)), (((&e, &f), &g), &h)) in out.chunks_exact_mut(8).zip(highs).zip(lows) {
                let high = u16::from_be_bytes([a, b]);
                let [a, b] = if is_float { high.rotate_right(1) } else { high }.to_be_bytes();
                out.copy_from_slice(&[h, g, f, e, d, c, b, a]);
            }
        }
    }
}

/// Chooses among the builds of [`join16`].
fn join16_by(is_float: bool, p0: &[u8], p1: &[u8], out: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if super::x86::is_there() {
        #[allow(unsafe_code, reason = "the function is safe where the instructions exist")]
        // SAFETY: they do, as was just asked.
        return unsafe { join16_avx2(is_float, p0, p1, out) };
    }
    if is_float { join16::<true>(p0, p1, out) } else { join16::<false>(p0, p1, out) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi1,bmi2,lzcnt,avx2")]
fn join16_avx2(is_float: bool, p0: &[u8], p1: &[u8], out: &mut [u8]) {
    if is_float { join16::<true>(p0, p1, out) } else { join16::<false>(p0, p1, out) }
}

/// Chooses among the builds of [`join32`].
fn join32_by(is_float: bool, planes: [&[u8]; 4], out: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if super::x86::is_there() {
        #[allow(unsafe_code, reason = "the function is safe where the instructions exist")]
        // SAFETY: they do, as was just asked.
        return unsafe { join32_avx2(is_float, planes, out) };
    }
    if is_float { join32::<true>(planes, out) } else { join32::<false>(planes, out) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi1,bmi2,lzcnt,avx2")]
fn join32_avx2(is_float: bool, planes: [&[u8]; 4], out: &mut [u8]) {
    if is_float { join32::<true>(planes, out) } else { join32::<false>(planes, out) }
}

#[inline(always)]
fn join16<const FLOAT: bool>(p0: &[u8], p1: &[u8], out: &mut [u8]) {
    for ((out, &high), &low) in out.chunks_exact_mut(2).zip(p0).zip(p1) {
        let number = u16::from(high) << 8 | u16::from(low);
        out.copy_from_slice(&(if FLOAT { number.rotate_right(1) } else { number }).to_le_bytes());
    }
}

#[inline(always)]
fn join32<const FLOAT: bool>([p0, p1, p2, p3]: [&[u8]; 4], out: &mut [u8]) {
    for ((((out, &a), &b), &c), &d) in out.chunks_exact_mut(4).zip(p0).zip(p1).zip(p2).zip(p3) {
        let low = u32::from(c) << 8 | u32::from(d);
        let number = if FLOAT {
            (u32::from(b) & 1) << 31 | u32::from(a) << 23 | (u32::from(b) >> 1) << 16 | low
        } else {
            u32::from(a) << 24 | u32::from(b) << 16 | low
        };
        out.copy_from_slice(&number.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_fill_the_first_plane() {
        let mut planes = std::array::from_fn(|_| Vec::new());
        split(Form::Float32, &(-1.5f32).to_le_bytes(), &mut planes);
        assert_eq!(planes[..4], [[127], [0b1000_0001], [0], [0]]);
        split(Form::Float64, &(-1.5f64).to_le_bytes(), &mut planes);
        assert_eq!(planes[..3], [[127], [0b1111_0001], [0]]);
        split(Form::Integer32, &0x0102_0304u32.to_le_bytes(), &mut planes);
        assert_eq!(planes[..4], [[1], [2], [3], [4]]);
    }

    #[test]
    fn what_comes_apart_comes_together() {
        let numbers: Vec<u8> = (0..800u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
        for form in FORMS {
            let mut planes = std::array::from_fn(|_| Vec::new());
            split(form, &numbers, &mut planes);
            let mut out = vec![0; numbers.len()];
            join(form, &std::array::from_fn(|at| planes[at].as_slice()), &mut out);
            assert_eq!(out, numbers, "{form:?}");
        }
    }
}
