//! Image classifiers: a user's own network trained, measured, made small and trained further.
//!
//! | module | what it knows |
//! |---|---|
//! | [`graph`] | a network as a list of operations on named tensors |
//! | [`arch`] | the networks known by name; which of them a checkpoint is |
//! | [`checkpoint`] | named tensors in `.safetensors`, `.pt`, `.pth`, `.th` files |
//! | [`images`] | labelled samples, batches, augmentation |
//! | [`network`] | architecture, tensors, normalisation and class names together |
//! | [`engine`] | the operations and their gradients on the CPU |
//! | [`mod@train`] | Adam, cross-entropy, the loss curve |
//! | [`calibrate`] | normalisations measured anew |
//! | [`evaluate`] | loss and accuracy of a part |
//! | [`prune`] | which weights become zero, and when |
//! | [`quantise`] | weights as whole numbers of steps, rounded by rate and distortion |
//! | [`allocate`] | how many bits each tensor gets |
//! | [`tune`] | training the whole numbers further |
//! | [`compress`] | all of it, until the accuracy budget binds |
//! | [`archive`] | a network to and from [`kolmo_codec::network`] |
//!
//! [`engine`] computes on plain slices instead of burn's tensors: masks and rounding then are functions between lists of tensors, and a step needs the
//! gradient of each under its name. A test holds it to burn's autodiff.

pub mod allocate;
pub mod arch;
pub mod archive;
pub mod calibrate;
pub mod checkpoint;
pub mod compress;
pub mod engine;
pub mod evaluate;
pub mod fold;
pub mod graph;
pub mod images;
pub mod network;
pub mod prune;
pub mod quantise;
pub mod train;
pub mod tune;
