//! Checkpoints and arrays, whole and tensor by tensor.

use std::fs;

use kolmo::options::{CompressOptions, ExpandOptions, Limits};

use crate::corpus::checkpoint::{bf16_bytes, f16_bytes, f32_bytes, npy, safetensors, set, weights};
use crate::corpus::room::{Room, files, general};

#[test]
fn checkpoints_come_back_plane_by_plane() {
    let room = Room::new();
    set().iter().for_each(|(path, bytes)| room.put(path, bytes));
    let values = weights(30_000, 5, 9);
    let layers = |dtype: &str, bytes: Vec<u8>| safetensors(&[("w", dtype, &[300, 100], bytes)]);
    room.put("single.safetensors", &layers("F32", f32_bytes(&values)));
    room.put("half.safetensors", &layers("F16", f16_bytes(&values)));
    room.put("brain.safetensors", &layers("BF16", bf16_bytes(&values)));
    room.put("undeclared.bin", &[b"odd".as_slice(), &f32_bytes(&weights(20_000, 1, 10))].concat());
    room.put("a text.txt", &b"no numbers here. ".repeat(100));
    let summary = room.there_and_back(&general());
    assert_eq!((summary.numbers.files, summary.numbers.as_numbers), (7, summary.numbers.bytes), "{:?}", summary.numbers);
    // 19.8 (these weights are sums of whole numbers), 13.5 and 10.6 bits a weight of single, half and brain floats.
    let size = |file: &str| {
        let alone = Room::new();
        alone.put(file, &files(&room.set())[file]);
        alone.there_and_back(&general()).sizes.general
    };
    assert_eq!([size("single.safetensors"), size("half.safetensors"), size("brain.safetensors")], [74_311, 50_700, 39_729]);
    let items = kolmo::list(&room.at("x.kolmo"), &Limits::default()).expect("a list");
    let methods: Vec<_> = items.iter().map(|item| (item.path.as_str(), item.method.as_str())).filter(|(_, method)| *method != "numbers").collect();
    assert_eq!(methods, [("a text.txt", "general")]);
    let one = fs::read(room.at("x.kolmo")).expect("the archive");
    room.compress("y.kolmo", &CompressOptions { threads: 1, ..general() });
    assert!(one == fs::read(room.at("y.kolmo")).expect("the archive"), "the same bytes on one thread");
}

#[test]
fn single_tensors_come_out_without_the_rest() {
    let room = Room::new();
    set().iter().for_each(|(path, bytes)| room.put(path, bytes));
    room.put("copy.safetensors", &set()[0].1);
    room.compress("x.kolmo", &general());
    let tensors = kolmo::tensors(&room.at("x.kolmo"), None, &Limits::default()).expect("a list of tensors");
    let names: Vec<String> = tensors.iter().map(|tensor| format!("{}::{} {} {:?}", tensor.path, tensor.name, tensor.dtype, tensor.shape)).collect();
    assert_eq!(names.len(), 8 + 8 + 2 + 1, "{names:?}");
    assert!(names.contains(&"mixed.safetensors::conv.weight F32 [10, 16]".to_owned()) && names.contains(&"old.th::layer.bias Float [7]".to_owned()));
    for tensor in &tensors {
        let bare = room.at("bare");
        let name = format!("{}::{}", tensor.path, tensor.name);
        let options = ExpandOptions { force: true, ..ExpandOptions::default() };
        kolmo::expand_tensor(&room.at("x.kolmo"), &name, &bare, &options).expect("a tensor");
        let file = fs::read(room.set().join(&tensor.path)).expect("the file");
        assert_eq!(fs::read(&bare).expect("a tensor"), file[tensor.offset as usize..][..tensor.bytes as usize], "{name}");
    }
    let array = |name: &str| {
        let outcome = kolmo::expand_tensor(&room.at("x.kolmo"), name, &room.at("w.npy"), &ExpandOptions { force: true, ..ExpandOptions::default() });
        outcome.map(|_| fs::read(room.at("w.npy")).expect("an array"))
    };
    let expected = npy("<f4", "(10, 16,)", &f32_bytes(&weights(160, 4, 1)));
    assert_eq!(array("mixed.safetensors::conv.weight").expect("an array"), expected);
    for (name, says) in
        [("mixed.safetensors::brain", "NumPy has no type BF16"), ("mixed.safetensors::none", "no such tensor"), ("no::none", "no such tensor")]
    {
        let error = array(name).expect_err("no array");
        assert!(error.kind() == kolmo::ErrorKind::InvalidArgument && error.to_string().contains(says), "{error}");
    }
}

#[test]
fn checkpoints_that_lie_are_kept_as_bytes_and_named() {
    let room = Room::new();
    let good = set().remove(0).1;
    let text = String::from_utf8_lossy(&good[8..400]).into_owned();
    let lie = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = text.find(from).expect("the header says so") + 8;
        [&good[..at], to.as_bytes(), &good[at + from.len()..]].concat()
    };
    room.put("overlap.safetensors", &lie("[640,1280]", "[636,1276]"));
    room.put("beyond.safetensors", &lie("[10, 16]", "[11, 16]"));
    room.put("cut.safetensors", &good[..good.len() - 1]);
    room.put("cut.npy", &set()[2].1[..100]);
    room.put("cut.th", &set()[1].1[..300]);
    room.put("good.safetensors", &good);
    let summary = room.there_and_back(&general());
    let named: Vec<_> = summary.preprocess.unreadable.iter().map(|named| format!("{} {}", named.path, named.reason)).collect();
    assert_eq!(named.len(), 5, "{named:?}");
    assert!(named[4].contains("overlaps another tensor") && named[0].contains("conv.weight of type F32 and shape [11, 16]"), "{named:?}");
    assert!(named.iter().all(|reason| reason.contains("unreadable: ")), "{named:?}");
    assert_eq!(summary.numbers.files, 1);
}
