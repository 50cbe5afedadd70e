//! Checkpoints from a seed, byte by byte as other tools write them.

use super::picture::Noise;

/// Weights of a layer, nearly normal with deviation `2^-scale`: sums of whole numbers, so the same on every machine.
pub(crate) fn weights(count: usize, scale: i32, seed: u64) -> Vec<f32> {
    let mut noise = Noise::new(seed);
    (0..count).map(|_| (0..12).map(|_| noise.below(1 << 16) as f32 - 32_767.5).sum::<f32>() * 2f32.powi(-16 - scale)).collect()
}

pub(crate) fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Cut off, not rounded.
pub(crate) fn bf16_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes()).collect()
}

/// Of values between 2^-14 and 2, cut off; smaller ones become 0.
pub(crate) fn f16_bytes(values: &[f32]) -> Vec<u8> {
    let half = |value: &f32| {
        let bits = value.to_bits();
        let exponent = (bits >> 23 & 255) as i32 - 112;
        let sign = (bits >> 16) as u16 & 0x8000;
        if exponent < 1 { sign } else { sign | (exponent as u16) << 10 | (bits >> 13 & 0x3ff) as u16 }
    };
    values.iter().flat_map(|value| half(value).to_le_bytes()).collect()
}

/// A tensor: name, type, shape, bytes.
pub(crate) type Tensor<'a> = (&'a str, &'a str, &'a [usize], Vec<u8>);

pub(crate) fn safetensors(tensors: &[Tensor<'_>]) -> Vec<u8> {
    let mut at = 0;
    let about = tensors.iter().map(|(name, dtype, shape, bytes)| {
        let begin = at;
        at += bytes.len();
        format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{begin},{at}]}}"#)
    });
    let header = format!("{{{}}}", about.collect::<Vec<_>>().join(","));
    let data: Vec<u8> = tensors.iter().flat_map(|tensor| tensor.3.clone()).collect();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

pub(crate) fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while !(header.len() + 11).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// What `torch.save(..., _use_new_zipfile_serialization=False)` writes for an `OrderedDict` of one-dimensional float tensors.
pub(crate) fn legacy(tensors: &[(&str, Vec<f32>)]) -> Vec<u8> {
    let text = |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let number = |number: usize| [b"J", &(number as u32).to_le_bytes()[..]].concat();
    let mut out =
        b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}q\x00.\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(".to_vec();
    for (key, (name, values)) in tensors.iter().enumerate() {
        out.extend(text(name));
        out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        out.extend([text("storage"), b"ctorch\nFloatStorage\n".to_vec(), text(&key.to_string()), text("cpu"), number(values.len())].concat());
        out.extend([b"NtQK\x00", number(values.len()).as_slice(), b"\x85K\x01\x85\x89h\x00)RtR"].concat());
    }
    out.extend(b"u.\x80\x02](");
    (0..tensors.len()).for_each(|key| out.extend(text(&key.to_string())));
    out.extend(b"e.");
    for (_, values) in tensors {
        out.extend((values.len() as u64).to_le_bytes());
        out.extend(f32_bytes(values));
    }
    out
}

/// Checkpoints of each kind, small: what golden archives and round trips are made of.
pub(crate) fn set() -> Vec<(String, Vec<u8>)> {
    let odd = [f32::NAN, f32::from_bits(0xffc0_1234), f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-42];
    let first = weights(160, 4, 1);
    let mixed = safetensors(&[
        ("conv.weight", "F32", &[10, 16], f32_bytes(&first)),
        ("conv.again", "F32", &[160], f32_bytes(&first)),
        ("half", "F16", &[150], f16_bytes(&weights(150, 2, 2))),
        ("brain", "BF16", &[5, 28], bf16_bytes(&weights(140, 9, 3))),
        ("zero", "F64", &[20], vec![0; 160]),
        ("steps", "I64", &[], 1234u64.to_le_bytes().to_vec()),
        ("codes", "I8", &[1100], Noise::new(7).bytes(1100).into_iter().map(|byte| byte.leading_zeros() as u8).collect()),
        ("odd", "F32", &[6], f32_bytes(&odd)),
    ]);
    let old = legacy(&[("layer.weight", weights(120, 3, 4)), ("layer.bias", weights(7, 3, 5))]);
    let array = npy("<f8", "(4, 10)", &weights(40, 0, 6).iter().flat_map(|value| f64::from(*value).to_le_bytes()).collect::<Vec<_>>());
    [("mixed.safetensors", mixed), ("old.th", old), ("table.npy", array)].map(|(name, bytes)| (name.to_owned(), bytes)).into()
}

/// A small network before (0) and after (1) a step of training.
pub(crate) fn step(number: u64) -> Vec<u8> {
    let moved = |values: Vec<f32>, by: u64| {
        let mut noise = Noise::new(31);
        let values = values.into_iter().map(|value| f32::from_bits(value.to_bits() + (noise.below(by) * number) as u32));
        values.collect::<Vec<f32>>()
    };
    let mut single = moved(weights(60, 4, 11), 40);
    single[5] = f32::from_bits(0x7fc0_0001 + number as u32);
    let brain = bf16_bytes(&moved(weights(30, 6, 12), 1 << 16));
    safetensors(&[
        ("w", "F32", &[60], f32_bytes(&single)),
        ("b", "BF16", &[30], brain),
        ("n", "I64", &[], (1000 + 7 * number).to_le_bytes().to_vec()),
    ])
}
