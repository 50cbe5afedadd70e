//! scratch experiment
#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;
use kolmo_codec::block;
use kolmo_codec::context::Plane;
use kolmo_model::{effort::Plan, net::NetShape, train};
fn main() {
    // args: raw file (n h w c u8 after 16-byte header), ntest, steps, tune, first, second, head, k, spikes, reach
    let a: Vec<String> = std::env::args().collect();
    let raw = std::fs::read(&a[1]).unwrap();
    let u = |i: usize| u32::from_le_bytes(raw[i * 4..i * 4 + 4].try_into().unwrap()) as usize;
    let (n, h, w, c) = (u(0), u(1), u(2), u(3));
    let list = |s: &str| s.split('-').filter(|x| !x.is_empty()).map(|x| x.parse().unwrap()).collect::<Vec<usize>>();
    let ntest: usize = a[2].parse().unwrap();
    let order: Vec<u8> = std::env::var("ORDER").map_or_else(|_| train::coding_order(c), |o| o.bytes().map(|b| b - b'0').collect());
    let images: Vec<&[u8]> = raw[16..].chunks_exact(h * w * c).collect();
    let planes: Vec<Plane> = images.iter().map(|s| Plane::new(h, w, s, &order, 8).unwrap()).collect();
    let shape = NetShape {
        channels: c,
        reach: a[10].parse().unwrap(),
        first: list(&a[5]),
        second: list(&a[6]),
        head: a[7].parse().unwrap(),
        components: a[8].parse().unwrap(),
        spikes: a[9].parse().unwrap(),
    };
    let env = |k: &str, d: &str| std::env::var(k).unwrap_or(d.into());
    let plan = Plan {
        shape: shape.clone(),
        steps: a[3].parse::<u64>().unwrap() + a[4].parse::<u64>().unwrap(),
        batch_pixels: env("BATCH", "8192").parse().unwrap(),
        patch_side: env("SIDE", "16").parse().unwrap(),
        learning_rate: env("LR", "3e-3").parse().unwrap(),
    };
    struct W;
    impl train::Watch for W {
        fn step(&mut self, p: &train::Progress) -> train::Wish {
            if p.step % 500 == 0 {
                eprintln!("{} {:.4} {:.1}s eta {:.1}", p.step, p.loss_bpsp, p.elapsed_seconds, p.eta_seconds);
            }
            train::Wish::Continue
        }
    }
    let set = train::TrainSet { train: planes[..n - ntest].to_vec(), validation: vec![], test: vec![], order: order.clone(), bit_depth: 8 };
    let run = train::Run {
        seed: 0,
        device: kolmo_model::device::choose(kolmo_model::device::DeviceChoice::Cpu).unwrap(),
        time_budget: None,
        checkpoint: None,
        resume: false,
    };
    let trained = train::train(&set, &plan, &run, &mut W).unwrap();
    println!("{:?} {:?} {:?} {}s", trained.float, trained.quantised, trained.tuned, trained.seconds);
    for (name, p) in [("tuned", trained.program)] {
        for (part, range) in [("test", n - ntest..n), ("train", 0..ntest)] {
            let t = std::time::Instant::now();
            let refs: Vec<_> = images[range].iter().map(|s| block::ImageRef { height: h, width: w, samples: s }).collect();
            let e = block::encode(&p, &refs).unwrap();
            let t1 = t.elapsed().as_secs_f64();
            let m = (refs.len() * h * w * c) as f64;
            let shapes: Vec<_> = refs.iter().map(|_| (h, w)).collect();
            let t = std::time::Instant::now();
            let d = block::decode(&p, &shapes, &e.bytes, &mut kolmo_codec::limits::Budget::new(1 << 32)).unwrap();
            assert!(d.iter().zip(&refs).all(|(a, b)| a == b.samples));
            println!(
                "{name} {part} bpsp {:.4} ideal {:.4} enc {:.2} MB/s dec {:.2} MB/s macs/px {} raw {} zstd {}",
                e.bytes.len() as f64 * 8.0 / m,
                e.ideal_bits as f64 / 65536.0 / m,
                m / 1e6 / t1,
                m / 1e6 / t.elapsed().as_secs_f64(),
                p.macs_per_pixel(),
                p.to_bytes().len(),
                0
            );
        }
    }
}
