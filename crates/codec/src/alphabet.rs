//! The values a sample can take, and how wide each is in the steps that a Program reckons in.
#![allow(clippy::arithmetic_side_effects, reason = "depths are at most 16, which bounds every shift")]

/// Most bits of a symbol.
pub const MAX_BIT_DEPTH: u8 = 16;
/// Most bits by which a step is coarser than a symbol, so that half a symbol is a whole number of 2^-8 steps.
pub const MAX_RESOLUTION: u8 = 7;

/// Symbols `0..2^bit_depth`, and their width in steps.
///
/// A Program reckons in *steps*: differences of neighbours that its network sees are whole steps, means and scales of its mixtures have the unit
/// 2^-8 step. Symbols of up to 8 bits are `2^(8 - bit_depth)` steps wide, so that every depth spans 256 steps; deeper ones are `2^-resolution` steps
/// wide, so that the noise of deep samples is some steps, as that of 8-bit samples is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alphabet {
    bit_depth: u8,
    resolution: u8,
}

impl From<u8> for Alphabet {
    /// Symbols of so many bits (1 to 8).
    fn from(bit_depth: u8) -> Self {
        Self::new(bit_depth, 0)
    }
}

impl Alphabet {
    /// Symbols of `bit_depth` bits, 1 to 16; a step is `2^resolution` of them if they are deep (more than 8 bits), which has no meaning else.
    #[must_use]
    pub const fn new(bit_depth: u8, resolution: u8) -> Self {
        assert!(bit_depth >= 1 && bit_depth <= MAX_BIT_DEPTH && resolution <= MAX_RESOLUTION);
        Self { bit_depth, resolution: if bit_depth > 8 { resolution } else { 0 } }
    }

    /// Bits of a symbol.
    #[must_use]
    pub const fn bit_depth(self) -> u8 {
        self.bit_depth
    }

    /// Symbols that make a step: `2^resolution`, of deep ones.
    #[must_use]
    pub const fn resolution(self) -> u8 {
        self.resolution
    }

    /// Whether symbols have more than 8 bits.
    #[must_use]
    pub const fn is_deep(self) -> bool {
        self.bit_depth > 8
    }

    /// Number of symbols.
    #[must_use]
    pub const fn size(self) -> u32 {
        1 << self.bit_depth
    }

    /// Bits by which a plane holds symbols scaled up: to 8 bits; deep ones as they are.
    #[must_use]
    pub const fn log2_scale(self) -> u32 {
        if self.is_deep() { 0 } else { 8 - self.bit_depth as u32 }
    }

    /// A plane's value has the width of `2^log2_unit` times 2^-8 step.
    #[must_use]
    pub const fn log2_unit(self) -> u32 {
        8 - self.resolution as u32
    }

    /// A symbol is `2^log2_width` times 2^-8 step wide, at least twice.
    #[must_use]
    pub const fn log2_width(self) -> u32 {
        self.log2_unit() + self.log2_scale()
    }

    /// Mass that every symbol has whatever the Program says, unit 2^-24: together 2^-12 of the whole, or more where there are more than 2^12 symbols.
    #[must_use]
    pub const fn floor(self) -> u32 {
        if self.bit_depth < 12 { 1 << (12 - self.bit_depth) } else { 1 }
    }

    /// Sum of the weights that components and spikes share, unit 2^-16: the whole mass but for the floor.
    #[must_use]
    pub const fn weights(self) -> u32 {
        (1 << 16) - ((self.floor() << self.bit_depth) >> 8)
    }

    /// Bound of a mean, unit 2^-8 step: far outside the alphabet, and safe to multiply.
    #[must_use]
    pub const fn mean_bound(self) -> i32 {
        if self.is_deep() { 1 << 25 } else { 1 << 18 }
    }

    /// Bounds of a log2 scale, unit 2^-12: logistics of scale 2^-6 to 2^7.5 steps, of deep symbols to 2^12.
    #[must_use]
    pub const fn scale_bounds(self) -> (i32, i32) {
        if self.is_deep() { (-6 << 12, 12 << 12) } else { (-6 << 12, 15 << 11) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floor_and_weights_make_the_whole_mass() {
        for bit_depth in 1..=MAX_BIT_DEPTH {
            let alphabet = Alphabet::new(bit_depth, 0);
            assert_eq!((alphabet.weights() << 8) + alphabet.size() * alphabet.floor(), 1 << 24, "{bit_depth}");
        }
        assert_eq!((Alphabet::from(8).weights(), Alphabet::from(8).floor()), (65_520, 16));
        assert_eq!((Alphabet::from(1).log2_width(), Alphabet::from(8).log2_width(), Alphabet::new(12, 3).log2_width()), (15, 8, 5));
    }
}
