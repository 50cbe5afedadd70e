use super::*;

fn bytes_of(dtype: Dtype, data: &[u8], shape: Vec<usize>) -> Vec<u8> {
    let view = TensorView::new(dtype, shape, data).unwrap();
    safetensors::serialize([("t", view)], None).unwrap()
}

fn read_bytes(name: &str, bytes: &[u8]) -> Result<Checkpoint, Error> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, bytes).unwrap();
    Checkpoint::read(&file)
}

#[test]
fn tensors_and_strings_come_back_special_numbers_among_them() {
    let special = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-42, 1.5];
    let tensors = vec![("module.a".to_owned(), Array { shape: vec![2, 3], values: special.clone() })];
    let metadata: BTreeMap<String, String> = [("who".to_owned(), "me".to_owned())].into();
    let counters = [("module.bn1.num_batches_tracked".to_owned(), 7)].into();
    let read = read_bytes("x.safetensors", &Checkpoint::to_safetensors(&tensors, &counters, &metadata).unwrap()).unwrap();
    assert_eq!((read.metadata, read.counters), (metadata, [("bn1.num_batches_tracked".to_owned(), 7)].into()));
    let back = &read.tensors["a"];
    assert_eq!(back.shape, [2, 3]);
    assert!(back.values.iter().zip(&special).all(|(a, b)| a.to_bits() == b.to_bits()));
}

#[test]
fn short_floats_are_widened_counters_counted_others_refused() {
    let halves: Vec<u8> = [half::f16::from_f32(1.5), half::f16::NEG_INFINITY].iter().flat_map(|half| half.to_le_bytes()).collect();
    assert_eq!(read_bytes("h.safetensors", &bytes_of(Dtype::F16, &halves, vec![2])).unwrap().tensors["t"].values, [1.5, f32::NEG_INFINITY]);
    let brains: Vec<u8> = half::bf16::from_f32(-3.0).to_le_bytes().to_vec();
    assert_eq!(read_bytes("b.safetensors", &bytes_of(Dtype::BF16, &brains, vec![1])).unwrap().tensors["t"].values, [-3.0]);
    let refused = read_bytes("i.safetensors", &bytes_of(Dtype::I64, &[0; 8], vec![1])).unwrap_err().to_string();
    assert!(refused.contains("tensor t") && refused.contains("I64"), "{refused}");
    let view = TensorView::new(Dtype::I64, vec![], &[0; 8]).unwrap();
    let counter = safetensors::serialize([("bn1.num_batches_tracked", view)], None).unwrap();
    assert_eq!(read_bytes("c.safetensors", &counter).unwrap().counters, [("bn1.num_batches_tracked".to_owned(), 0)].into());
}

#[test]
fn headers_that_lie_are_refused_and_the_file_named() {
    let header = |text: &str, data: usize| {
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend(std::iter::repeat_n(0, data));
        bytes
    };
    let lies = [
        header(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}}"#, 12),
        header(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, 12),
        header(r#"{"a":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,8]}}"#, 8),
        header(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 4),
        header(r#"{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}"#, 8),
        u64::MAX.to_le_bytes().to_vec(),
        vec![],
    ];
    for (number, lie) in lies.iter().enumerate() {
        let error = read_bytes("lie.safetensors", lie).unwrap_err().to_string();
        assert!(error.contains("lie.safetensors"), "{number}: {error}");
    }
    for name in ["x.pt", "x.pth", "x.th"] {
        assert!(read_bytes(name, b"this is no checkpoint").unwrap_err().to_string().contains(name));
    }
}
