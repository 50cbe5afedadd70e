//! Types of elements.

/// What one element of a tensor is. All are little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Element {
    /// IEEE 754 floats of 64 bits.
    F64,
    /// IEEE 754 floats of 32 bits.
    F32,
    /// IEEE 754 floats of 16 bits.
    F16,
    /// The upper half of an `F32`.
    Bf16,
    /// Floats of 8 bits, whatever their exponent.
    F8,
    /// Integers of 64 bits.
    I64,
    /// Integers of 32 bits.
    I32,
    /// Integers of 16 bits.
    I16,
    /// Integers of 8 bits, booleans.
    I8,
    /// Bytes of any meaning.
    Raw,
}

impl Element {
    /// Bytes of one.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::F8 | Self::I8 | Self::Raw => 1,
        }
    }

    /// By the name that safetensors gives it; complex numbers are pairs, so `C64` is no single element and unknown here.
    pub(super) fn of_safetensors(dtype: &str) -> Option<Self> {
        Some(match dtype {
            "F64" => Self::F64,
            "F32" => Self::F32,
            "F16" => Self::F16,
            "BF16" => Self::Bf16,
            "F8_E4M3" | "F8_E5M2" | "F8_E8M0" => Self::F8,
            "I64" | "U64" => Self::I64,
            "I32" | "U32" => Self::I32,
            "I16" | "U16" => Self::I16,
            "I8" | "U8" | "BOOL" => Self::I8,
            _ => return None,
        })
    }

    /// By NumPy's type string; bytes of big-endian numbers and of structures have no type here.
    pub(super) fn of_numpy(descr: &str) -> Option<Self> {
        Some(match descr.trim_start_matches(['<', '=', '|']) {
            "f8" => Self::F64,
            "f4" => Self::F32,
            "f2" => Self::F16,
            "i8" | "u8" => Self::I64,
            "i4" | "u4" => Self::I32,
            "i2" | "u2" => Self::I16,
            "i1" | "u1" | "b1" => Self::I8,
            "V2" => Self::Bf16, // how NumPy keeps what it does not know itself; others are not two bytes wide
            _ => return None,
        })
    }

    /// By the name of a class of PyTorch storages.
    pub(super) fn of_storage(class: &str) -> Option<Self> {
        Some(match class {
            "DoubleStorage" => Self::F64,
            "FloatStorage" => Self::F32,
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::Bf16,
            "LongStorage" => Self::I64,
            "IntStorage" => Self::I32,
            "ShortStorage" => Self::I16,
            "CharStorage" | "ByteStorage" | "BoolStorage" | "UntypedStorage" | "QInt8Storage" | "QUInt8Storage" => Self::I8,
            _ => return None,
        })
    }
}
