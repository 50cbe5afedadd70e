//! Nothing but benches stands here: `cargo bench --manifest-path benches/Cargo.toml`.
