use super::*;
use crate::classify::engine::{Sparse, infer};
use crate::classify::fold::fold;
use crate::classify::images::{ImageSet, Normalisation};

const fn square(channels: usize, side: usize) -> Extent {
    Extent { channels, height: side, width: side }
}

/// Names and shapes of torchvision's `resnet18().state_dict()`, without the counters of batches.
fn torchvision_resnet18() -> Vec<(String, Vec<usize>)> {
    let mut list = Vec::new();
    let norm = |list: &mut Vec<(String, Vec<usize>)>, name: &str, channels: usize| {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            list.push((format!("{name}.{part}"), vec![channels]));
        }
    };
    list.push(("conv1.weight".to_owned(), vec![64, 3, 7, 7]));
    norm(&mut list, "bn1", 64);
    for (layer, inputs, outputs) in [(1, 64, 64), (2, 64, 128), (3, 128, 256), (4, 256, 512)] {
        for block in 0..2 {
            let inputs = if block == 0 { inputs } else { outputs };
            let name = |part: &str| format!("layer{layer}.{block}.{part}");
            list.push((name("conv1.weight"), vec![outputs, inputs, 3, 3]));
            norm(&mut list, &name("bn1"), outputs);
            list.push((name("conv2.weight"), vec![outputs, outputs, 3, 3]));
            norm(&mut list, &name("bn2"), outputs);
            if layer > 1 && block == 0 {
                list.push((name("downsample.0.weight"), vec![outputs, inputs, 1, 1]));
                norm(&mut list, &name("downsample.1"), outputs);
            }
        }
    }
    list.push(("fc.weight".to_owned(), vec![1000, 512]));
    list.push(("fc.bias".to_owned(), vec![1000]));
    list
}

#[test]
fn resnet18_has_torchvisions_tensors() {
    let graph = Arch::new(Kind::ResNet18, square(3, 224), 1000).graph();
    let ours: Vec<_> = graph.specs.iter().map(|spec| (spec.name.clone(), spec.shape.clone())).collect();
    assert_eq!(ours, torchvision_resnet18());
    // 11,689,512 as torchvision documents it, and two stored numbers for each of 4,800 channels
    assert_eq!(graph.parameters(), 11_689_512 + 2 * 4800);
    assert_eq!(graph.extents.iter().map(|extent| extent.height).collect::<std::collections::BTreeSet<_>>(), [1, 7, 14, 28, 56, 112, 224].into());
    let small = Arch::new(Kind::ResNet18, square(1, 28), 10).graph();
    assert_eq!(small.specs[0].shape, [64, 1, 3, 3]);
    assert_eq!(small.extents[small.last() - 2], square(512, 4));
}

#[test]
fn cifar_networks_have_as_many_weights_as_published() {
    // He et al. 2015, table 6: 0.27 M, 0.46 M, 0.66 M, 0.85 M
    for (blocks, learned) in [(3, 269_722), (5, 464_154), (7, 658_586), (9, 853_018)] {
        let kind = Kind::ResNetCifar { blocks };
        let graph = Arch::new(kind, square(3, 32), 10).graph();
        let count: usize = graph.specs.iter().filter(|spec| spec.role.is_learned()).map(super::super::graph::Spec::count).sum();
        assert_eq!(count, learned, "{kind}");
        assert_eq!(kind.to_string().parse::<Kind>().unwrap(), kind);
    }
    assert!("resnet19".parse::<Kind>().unwrap_err().to_string().contains("resnet56"));
}

fn checkpoint_of(arch: &Arch) -> Checkpoint {
    let graph = arch.graph();
    let tensors = name(&graph, &random(&graph, 1)).into_iter().collect();
    Checkpoint { path: "net".to_owned(), tensors, ..Checkpoint::default() }
}

#[test]
fn a_checkpoint_says_which_network_it_is() {
    let conv = |name: &str| Passing::Conv(name.to_owned());
    for arch in [
        Arch::new(Kind::ResNet18, square(3, 224), 7),
        Arch::new(Kind::ResNet18, square(1, 28), 10),
        Arch { head: "linear".to_owned(), ..Arch::new(Kind::ResNetCifar { blocks: 3 }, square(3, 32), 10) },
        Arch { passing: conv("shortcut"), ..Arch::new(Kind::ResNetCifar { blocks: 2 }, square(3, 32), 10) },
        Arch { folded: true, ..Arch::new(Kind::ResNetCifar { blocks: 1 }, square(3, 32), 4) },
        Arch::new(Kind::Small, square(1, 8), 3),
    ] {
        let checkpoint = checkpoint_of(&arch);
        assert_eq!(Arch::detect(&checkpoint, arch.input.height, arch.input.width).unwrap(), arch);
        assert_eq!(bind(&arch.graph(), &checkpoint).unwrap(), random(&arch.graph(), 1));
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let arch = Arch::new(Kind::ResNetCifar { blocks: 1 }, square(3, 32), 10);
    let graph = arch.graph();
    let refuses = |change: &dyn Fn(&mut Checkpoint), words: &[&str]| {
        let mut checkpoint = checkpoint_of(&arch);
        change(&mut checkpoint);
        let error = bind(&graph, &checkpoint).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refuses(&|net| drop(net.tensors.remove("layer2.0.bn1.running_var")), &["net", "layer2.0.bn1.running_var", "missing"]);
    refuses(
        &|net| drop(net.tensors.insert("fc.weight".to_owned(), Array { shape: vec![10, 63], values: vec![0.0; 630] })),
        &["fc.weight", "[10, 63]", "[10, 64]"],
    );
    refuses(&|net| drop(net.tensors.insert("layer9.bias".to_owned(), Array { shape: vec![1], values: vec![0.0] })), &["layer9.bias", "no layer"]);
    let empty = Checkpoint { path: "empty".to_owned(), ..Checkpoint::default() };
    assert!(Arch::detect(&empty, 32, 32).unwrap_err().to_string().contains("conv1.weight"));
}

#[test]
fn folding_changes_tensors_and_no_answers() {
    let arch = Arch::new(Kind::ResNetCifar { blocks: 1 }, square(2, 9), 4);
    let graph = arch.graph();
    let mut parameters = random(&graph, 5);
    let mut dice = Dice::new(6);
    for (spec, values) in graph.specs.iter().zip(&mut parameters).filter(|(spec, _)| spec.role != Role::Weight) {
        let least = if spec.role == Role::Variance { 0.5 } else { -0.5 };
        values.iter_mut().for_each(|value| *value = least + (dice.next() >> 40) as f32 / (1u64 << 24) as f32);
    }
    let (folded, target, new) = fold(&arch, &graph, &parameters);
    assert!(target.specs.iter().all(|spec| matches!(spec.role, Role::Weight | Role::Bias)));
    assert!(target.parameters() < graph.parameters() && folded.folded);
    let mut set = ImageSet::new(square(2, 9));
    for _ in 0..3 {
        set.push(&(0..162).map(|_| dice.next() as u8).collect::<Vec<_>>(), 0).unwrap();
    }
    let normalisation = Normalisation::of(&set);
    let answers = |graph: &Graph, parameters: &Parameters| {
        infer(graph, parameters, &Sparse::of(graph, parameters), set.batch(&[0, 1, 2], &normalisation, None))
    };
    for (a, b) in answers(&graph, &parameters).iter().zip(answers(&target, &new)) {
        assert!((a - b).abs() < 1e-4 * (1.0 + a.abs()), "{a} {b}");
    }
    let (again, _, same) = fold(&folded, &target, &new);
    assert_eq!((again, same), (folded, new));
}
