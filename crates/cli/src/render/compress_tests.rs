//! What a summary must say.

use kolmo::summary::{CodingSummary, GroupSummary, KindsEstimate, ProgramSizes, RatesSummary};

use super::*;

fn summary() -> CompressSummary {
    let outlier = |number| NamedReason { path: format!("odd/{number}.png"), reason: "mean 12 deviations away".into() };
    CompressSummary {
        archive: "set.kolmo".into(),
        fidelity: "files".into(),
        preprocess: PreprocessSummary {
            files: 2000,
            file_bytes: 1_023_874,
            images: 1990,
            subpixels: 1_560_160,
            outliers: (0..7).map(outlier).collect(),
            general_but_pixels_would_learn: 10,
            general: vec![NamedReason { path: "notes.txt".into(), reason: "no image".into() }],
            groups: vec![GroupSummary {
                layout: "gray8".into(),
                images: 1990,
                train: 1592,
                validation: 199,
                test: 199,
                mean: vec![72.94],
                deviation: vec![90.0],
                ..GroupSummary::default()
            }],
            ..PreprocessSummary::default()
        },
        programs: vec![ProgramSummary {
            group: "gray8".into(),
            parameters: 13_123,
            macs_per_pixel: 12_800,
            steps: 2000,
            planned_steps: 3000,
            stopped: "early_stop".into(),
            rates: RatesSummary { tuned: SplitRates { train: 3.0123, validation: 3.04, test: f64::NAN }, ..RatesSummary::default() },
            sizes: ProgramSizes { raw: 14_000, huffman: 12_000, lz77: 14_005, range: 11_500, prior: None, kept: "range".into() },
            kept: true,
            ..ProgramSummary::default()
        }],
        kinds: Vec::new(),
        coding: CodingSummary { ideal_bytes: 600_000.0, payload_bytes: 601_200, subpixels: 1_560_160, ..CodingSummary::default() },
        base: Some(BaseSummary { name: "before.pt".into(), bytes: 1234, blake3: "ab".repeat(32) }),
        jpeg: JpegSummary { files: 7, bytes: 100_000, coded_bytes: 76_000, as_bytes: 1 },
        numbers: NumbersSummary { files: 2, bytes: 4_000_000, coded_bytes: 3_000_000, as_numbers: 4_000_000, ..NumbersSummary::default() },
        sizes: ArchiveSizes { total: 625_000, payload: 601_200, programs: 11_500, index: 12_300, ..ArchiveSizes::default() },
        rate_bpsp: 3.2048,
        percent_of_input: 61.04,
        verified_files: 2000,
        seconds: 72.0,
        estimate: false,
    }
}

#[test]
fn the_five_steps_and_the_last_lines_are_there() {
    let text = compress(&summary(), Detail::Steps, Paint::plain());
    let steps: Vec<_> = text.lines().filter(|line| line.starts_with(' ') && line.as_bytes().get(1).is_some_and(u8::is_ascii_digit)).collect();
    let names = ["1 preprocess", "2 generate", "3 compress", "4 expand", "5 tune"];
    for (line, name) in steps.iter().zip(names) {
        assert!(line.trim_start().starts_with(name), "{line}");
    }
    for said in [
        "2,000 files, 1,023,874 bytes; 1,990 images",
        "train 1,592, validation 199, test 199   mean 72.9 ± 90.0",
        "and 3 more (--json names all)",
        "10 are images whose file bytes cannot be rebuilt from samples yet; --pixels would learn them",
        "gray8     13,123 parameters, 12,800 MAC/px",
        "2,000 of 3,000 steps, early stop",
        "overhead 0.20 %",
        "JPEG        7 files, 100,000 -> 76,000 bytes (76.0 %)   coefficients coded anew; 1 file stays as it is",
        "tuned          3.012        3.040       -",
        " 625,000 bytes   3.205 bpsp   61.0 % of the input   1 min 12 s",
        " verified 2,000/2,000 files\n needs before.pt (1,234 bytes, BLAKE3 abababababab...) to expand: keep it, and name it with --base\n written to set.kolmo\n",
    ] {
        assert!(text.contains(said), "`{said}` is missing in\n{text}");
    }
    assert!(!text.contains("float  "), "what was not measured is not shown:\n{text}");
    assert!(text.is_ascii() || !text.contains('\u{1b}'), "plain text holds no terminal codes");
}

#[test]
fn an_estimate_claims_nothing() {
    let estimate = CompressSummary { estimate: true, archive: String::new(), verified_files: 0, ..summary() };
    let text = compress(&estimate, Detail::Brief, Paint::plain());
    assert!(text.contains("nothing was written") && !text.contains("verified"), "{text}");
    assert_eq!(text.lines().count(), 2, "brief is brief:\n{text}");
}

#[test]
fn nothing_learned_is_said_three_times() {
    let text = compress(&CompressSummary { programs: Vec::new(), ..summary() }, Detail::Steps, Paint::plain());
    assert!(text.contains("nothing learned") && text.matches("no Program").count() == 2, "{text}");
}

#[test]
fn kinds_of_images_are_explained() {
    let estimate = |programs, images: &[u64], looked_bytes| KindsEstimate {
        programs,
        images: images.to_vec(),
        estimated_bytes: 700_000 / programs,
        looked_bytes,
        chosen: programs == 2,
    };
    let kinds = KindsSummary {
        group: "gray8".into(),
        images: 1990,
        order: "path".into(),
        estimates: vec![estimate(1, &[1990], Some(650_000)), estimate(2, &[1900, 90], Some(600_000)), estimate(3, &[1900, 50, 40], None)],
        reason: "looks say so".into(),
    };
    let mut programs = summary().programs;
    programs.extend(summary().programs);
    programs.iter_mut().zip(1..).for_each(|(program, kind)| (program.kind, program.images) = (kind, 995));
    let text = compress(&CompressSummary { kinds: vec![kinds], programs, ..summary() }, Detail::Explained, Paint::plain());
    for said in [
        "gray8     kinds, by path                               estimated       a look",
        "1 Program: 1,990 images                        700,000      650,000\n",
        "2 Programs: 1,900 + 90 images                  350,000      600,000   chosen\n",
        "3 Programs: 1,900 + 50 + 40 images             233,333            -\n",
        "looks say so",
        "gray8-2   13,123 parameters",
        "995 images",
    ] {
        assert!(text.contains(said), "`{said}` is missing in\n{text}");
    }
}
