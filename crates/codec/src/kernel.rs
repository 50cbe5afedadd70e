//! Fully connected layers on a batch of pixels, in integers, by the best instructions the machine has.
//!
//! The scalar kernel defines the result; each faster one equals it on every input, because sums of integers below 2^31 do not depend on order.
//!
//! A pixel's inputs lie in two rows: *narrow* ones, 0..=127, what ReLU layers put out; and *wide* ones, -255..=255, differences of samples. Narrow inputs are
//! multiplied as bytes, four to a 32-bit lane, wide ones as 16-bit pairs.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a layer is validated before it is packed, which bounds every index and sum"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avxvnni;
#[cfg(target_arch = "aarch64")]
mod dotprod;
#[cfg(target_arch = "aarch64")]
mod neon;
mod packed;
mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;

pub(crate) use packed::{Input, Packed};

/// Output units of a panel; outputs of a pixel are filled up to whole panels.
pub(crate) const LANES: usize = 16;
/// Narrow inputs that are multiplied at once.
pub(crate) const QUAD: usize = 4;
/// Wide inputs that are multiplied at once.
pub(crate) const PAIR: usize = 2;

/// Which instructions compute layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// Plain Rust.
    Scalar,
    /// AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX2 with VNNI.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// AVX-512 with VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// NEON, which every 64-bit ARM has.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// NEON with dot products.
    #[cfg(target_arch = "aarch64")]
    Dotprod,
    /// Vectors of WebAssembly.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128,
}

impl Kernel {
    /// The fastest this machine has, or the one that `KOLMO_KERNEL` (`scalar`, `avx2`, `avxvnni`, `avx512`, `neon`, `dotprod`, `simd128`) names,
    /// if the machine has it.
    pub(crate) fn best() -> Self {
        static BEST: std::sync::OnceLock<Kernel> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| {
            let all = Self::all();
            let wished = std::env::var("KOLMO_KERNEL").ok();
            let named = all.iter().find(|kernel| wished.as_deref() == Some(kernel.name()));
            named.or(all.last()).copied().unwrap_or(Self::Scalar)
        })
    }

    /// All this machine has, slowest first.
    pub(crate) fn all() -> Vec<Self> {
        #[cfg_attr(
            not(any(target_arch = "x86_64", target_arch = "aarch64", all(target_arch = "wasm32", target_feature = "simd128"))),
            allow(unused_mut, reason = "other machines add nothing to it")
        )]
        let mut all = vec![Self::Scalar];
        #[cfg(target_arch = "x86_64")]
        {
            if avx2::has() {
                all.push(Self::Avx2);
            }
            if avxvnni::has() {
                all.push(Self::AvxVnni);
            }
            if avx512::has() {
                all.push(Self::Avx512);
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            if neon::has() {
                all.push(Self::Neon);
            }
            if dotprod::has() {
                all.push(Self::Dotprod);
            }
        }
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        all.push(Self::Simd128);
        all
    }

    /// Whether it multiplies unsigned bytes of 8 bits, in layers that say so.
    pub(crate) fn has_bytes(self) -> bool {
        match self {
            Self::Scalar => false,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => false,
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni | Self::Avx512 => true,
            #[cfg(target_arch = "aarch64")]
            Self::Neon | Self::Dotprod => true,
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Self::Simd128 => true,
        }
    }

    /// Whether sixteen masses of a distribution cost it much less than sixteen times as much as one.
    pub(crate) fn has_edges(self) -> bool {
        match self {
            Self::Scalar => false,
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Self::Simd128 => false,
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            _ => true,
        }
    }

    /// As `KOLMO_KERNEL` and benches call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => "avxvnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
            #[cfg(target_arch = "aarch64")]
            Self::Dotprod => "dotprod",
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Self::Simd128 => "simd128",
        }
    }
}

/// Inputs of a batch of pixels: pixel `i` begins at `i * stride` of each kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) narrow: &'a [u8],
    pub(crate) narrow_stride: usize,
    pub(crate) wide: &'a [i16],
    pub(crate) wide_stride: usize,
}

impl Rows<'_> {
    /// Whether there are `cells` pixels with inputs enough for `layer`.
    fn holds(&self, layer: &Packed, cells: usize) -> bool {
        let fits = |length: usize, stride: usize, inputs: usize| inputs == 0 || length >= (cells - 1) * stride + inputs;
        cells == 0 || fits(self.narrow.len(), self.narrow_stride, layer.quads * QUAD) && fits(self.wide.len(), self.wide_stride, layer.pairs * PAIR)
    }
}

impl Packed {
    /// Runs a ReLU layer on `cells` pixels; pixel `i`'s outputs begin at `i * output_stride`, those past the last unit are 0.
    pub(crate) fn run_hidden(&self, kernel: Kernel, rows: &Rows<'_>, cells: usize, out: &mut [u8]) {
        assert!(rows.holds(self, cells) && out.len() >= cells * self.output_stride());
        match kernel {
            Kernel::Scalar => scalar::hidden(self, rows, cells, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => avx2::hidden(self, rows, cells, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::AvxVnni => avxvnni::hidden(self, rows, cells, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => avx512::hidden(self, rows, cells, out),
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon => neon::hidden(self, rows, cells, out),
            #[cfg(target_arch = "aarch64")]
            Kernel::Dotprod => dotprod::hidden(self, rows, cells, out),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Kernel::Simd128 => simd128::hidden(self, rows, cells, out),
        }
    }

    /// Runs a linear layer on `cells` pixels; laid out as by [`Packed::run_hidden`].
    pub(crate) fn run_linear(&self, kernel: Kernel, rows: &Rows<'_>, cells: usize, out: &mut [i32]) {
        assert!(rows.holds(self, cells) && out.len() >= cells * self.output_stride());
        match kernel {
            Kernel::Scalar => scalar::linear(self, rows, cells, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => avx2::linear(self, rows, cells, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::AvxVnni => avxvnni::linear(self, rows, cells, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => avx512::linear(self, rows, cells, out),
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon => neon::linear(self, rows, cells, out),
            #[cfg(target_arch = "aarch64")]
            Kernel::Dotprod => dotprod::linear(self, rows, cells, out),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Kernel::Simd128 => simd128::linear(self, rows, cells, out),
        }
    }
}

#[cfg(test)]
mod tests;
