//! The GPU's driver, used without a loader: the process has one already, which leads to the guest's driver.

#![expect(unsafe_code, reason = "loads a driver")]

use std::path::Path;

use ash::vk;
use libloading::Library;
use venus_host::driver::EntryPoint;

/// The version of the interface between loaders and drivers that is spoken here: the first in which a driver refuses what
/// it does not know, and needs nothing of a loader that we are not.
const INTERFACE_VERSION: u32 = 5;

/// `vk_icdNegotiateLoaderICDInterfaceVersion`.
type Negotiate = unsafe extern "system" fn(*mut u32) -> vk::Result;

/// Loads a driver, for as long as the process lives.
pub(crate) fn load(path: &Path) -> Result<EntryPoint, String> {
    let wrong = |error: libloading::Error| format!("{}: {error}", path.display());
    // SAFETY: running the initialisers of a driver is what using it means; whoever runs the program has named it.
    let library = unsafe { Library::new(path) }.map_err(wrong)?;
    // SAFETY: the interface between loaders and drivers says that a function of this name has this type.
    let negotiate =
        unsafe { library.get::<Negotiate>(b"vk_icdNegotiateLoaderICDInterfaceVersion\0") }.map_err(wrong)?;
    let mut version = INTERFACE_VERSION;
    // SAFETY: it takes the place of a number, which lives during the call.
    let answer = unsafe { negotiate(&raw mut version) };
    if answer != vk::Result::SUCCESS {
        return Err(format!("{}: the driver cannot be used without a loader: {answer}", path.display()));
    }
    // SAFETY: as above.
    let entry = unsafe { library.get::<vk::PFN_vkGetInstanceProcAddr>(b"vk_icdGetInstanceProcAddr\0") };
    let entry = *entry.map_err(wrong)?;
    // Drivers do not survive being unloaded.
    std::mem::forget(library);
    // SAFETY:
    // - by the interface, a driver's function of this name is its `vkGetInstanceProcAddr`;
    // - the library is never unloaded.
    Ok(unsafe { EntryPoint::new(entry) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_driver_is_named() {
        for path in ["/nonexistent/libdriver.so", "libc.so.6"] {
            let error = load(Path::new(path)).unwrap_err();
            assert!(error.starts_with(path), "{error}");
        }
    }
}
