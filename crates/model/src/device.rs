//! Where training runs.

use burn::tensor::Device;

use crate::error::Error;

/// What the caller wants to train on. Coding always runs on the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A GPU if this build and this machine have one, else the CPU.
    #[default]
    Auto,
    /// The CPU (burn's flex backend).
    Cpu,
    /// A GPU (burn-wgpu), or an error.
    Gpu,
}

/// A device that can be used, and its name for people.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The device.
    pub device: Device,
    /// For example `cpu (flex)`.
    pub name: String,
    /// The device is the host's memory: steps are computed by [`crate::host`], without tensors.
    pub host: bool,
}

/// Finds the device for a choice.
///
/// # Errors
/// `Device` if a GPU is asked for and this build or this machine has none.
pub fn choose(choice: DeviceChoice) -> Result<Chosen, Error> {
    match choice {
        DeviceChoice::Cpu => Ok(cpu()),
        DeviceChoice::Gpu => gpu(),
        DeviceChoice::Auto => Ok(gpu().unwrap_or_else(|_| cpu())),
    }
}

fn cpu() -> Chosen {
    Chosen { device: Device::flex(), name: "cpu (flex)".to_owned(), host: true }
}

#[cfg(not(feature = "gpu"))]
fn gpu() -> Result<Chosen, Error> {
    let what = "this kolmo is built without GPU support; build it with `--features gpu`, or use --device cpu".to_owned();
    Err(Error::Device { what })
}

#[cfg(feature = "gpu")]
fn gpu() -> Result<Chosen, Error> {
    use burn::tensor::{DeviceKind, DeviceType};
    // `Device::wgpu` never fails, its first operation panics without an adapter: so look first.
    if Device::enumerate(DeviceType::Wgpu).into_vec().is_empty() {
        let what = "no GPU adapter found (Vulkan, Metal or DirectX 12 driver missing?); install one, or use --device cpu".to_owned();
        return Err(Error::Device { what });
    }
    let device = Device::wgpu(DeviceKind::DefaultDevice);
    let name = format!("gpu ({:?})", device.identity());
    Ok(Chosen { device, name, host: false })
}
