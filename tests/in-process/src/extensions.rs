//! A native program that is told of no more extensions than a guest, to be compared with one.
//!
//! Where `VENUS_PROTOCOL_EXTENSIONS` is set, the device's extensions are those that the Venus protocol carries. This
//! stands before the loader, not before a driver: a program that asks the loader for its entry points asks here.

#![expect(unsafe_code, reason = "is called by C, as Vulkan's loader")]

use std::{
    env,
    ffi::{CStr, c_char},
    ptr,
    sync::OnceLock,
};

use ash::vk;
use libloading::os::unix::Library;

/// Tells a program of the protocol's extensions only.
const VARIABLE: &str = "VENUS_PROTOCOL_EXTENSIONS";

/// The loader's name, by which the program has loaded it.
const LOADER: &str = "libvulkan.so.1";

/// What the loader has for `vkEnumerateDeviceExtensionProperties`.
static ENUMERATE: OnceLock<vk::PFN_vkEnumerateDeviceExtensionProperties> = OnceLock::new();

/// `vkGetInstanceProcAddr`.
///
/// # Safety
///
/// As Vulkan has it.
#[unsafe(no_mangle)]
unsafe extern "system" fn vkGetInstanceProcAddr(instance: vk::Instance, name: *const c_char) -> vk::PFN_vkVoidFunction {
    let loader = loader()?;
    // SAFETY: the caller keeps the contract, which is the same.
    let found = unsafe { loader(instance, name) }?;
    // SAFETY: the caller passes text that ends.
    let name = unsafe { CStr::from_ptr(name) };
    if name != c"vkEnumerateDeviceExtensionProperties" || env::var_os(VARIABLE).is_none() {
        return Some(found);
    }
    type Plain = unsafe extern "system" fn();
    type Enumerate = vk::PFN_vkEnumerateDeviceExtensionProperties;
    // SAFETY: the loader's function of this name is of this type.
    let real = unsafe { std::mem::transmute::<Plain, Enumerate>(found) };
    ENUMERATE.get_or_init(|| real);
    // SAFETY: whoever asked for this name calls it as what it is.
    Some(unsafe { std::mem::transmute::<Enumerate, Plain>(enumerate) })
}

/// The loader's own function of that name, if the program has a loader.
fn loader() -> Option<vk::PFN_vkGetInstanceProcAddr> {
    static FOUND: OnceLock<Option<vk::PFN_vkGetInstanceProcAddr>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: whoever asks has loaded it, so no initialiser runs.
        let library = unsafe { Library::open(Some(LOADER), libc::RTLD_NOLOAD | libc::RTLD_LAZY) }.ok()?;
        // SAFETY: a loader's function of this name is of this type.
        let function = *unsafe { library.get::<vk::PFN_vkGetInstanceProcAddr>(b"vkGetInstanceProcAddr\0") }.ok()?;
        // It stays as long as it is used.
        std::mem::forget(library);
        Some(function)
    })
}

/// `vkEnumerateDeviceExtensionProperties`, less what the protocol does not carry.
///
/// # Safety
///
/// As Vulkan has it.
unsafe extern "system" fn enumerate(
    device: vk::PhysicalDevice,
    layer: *const c_char,
    count: *mut u32,
    properties: *mut vk::ExtensionProperties,
) -> vk::Result {
    let Some(real) = ENUMERATE.get() else { return vk::Result::ERROR_INITIALIZATION_FAILED };
    let mut all = Vec::new();
    let mut length = 0;
    // SAFETY: the caller's device and layer; the count is ours, and nothing is to be written.
    let counted = unsafe { real(device, layer, &raw mut length, ptr::null_mut()) };
    if counted != vk::Result::SUCCESS {
        return counted;
    }
    all.resize(length as usize, vk::ExtensionProperties::default());
    // SAFETY: as above, with room for as many as were counted.
    let listed = unsafe { real(device, layer, &raw mut length, all.as_mut_ptr()) };
    if listed.as_raw() < 0 {
        return listed;
    }
    all.truncate(length as usize);
    all.retain(is_carried);
    let room = if properties.is_null() {
        all.len()
    } else {
        // SAFETY: the caller says here how much room it has.
        unsafe { *count as usize }
    };
    let given = room.min(all.len());
    if !properties.is_null() {
        // SAFETY: there is so much room, which is the caller's, and the list is ours.
        unsafe { ptr::copy_nonoverlapping(all.as_ptr(), properties, given) };
    }
    // SAFETY: the caller wants the number there.
    unsafe { *count = u32::try_from(given).unwrap_or(u32::MAX) };
    if given < all.len() { vk::Result::INCOMPLETE } else { vk::Result::SUCCESS }
}

/// Whether the protocol carries an extension, as far as a Venus guest would know.
fn is_carried(extension: &vk::ExtensionProperties) -> bool {
    let name = extension.extension_name_as_c_str().ok().and_then(|name| name.to_str().ok());
    name.is_some_and(|name| venus_host::driver::Level::NEWEST.extensions().any(|carried| carried.name == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_protocol_does_not_carry_is_left_out() {
        let named = |name: &CStr| vk::ExtensionProperties::default().extension_name(name).unwrap();
        assert!(is_carried(&named(c"VK_KHR_shader_integer_dot_product")));
        assert!(!is_carried(&named(c"VK_NV_shader_sm_builtins")));
        assert!(is_carried(&named(c"VK_KHR_cooperative_matrix")));
        assert!(!is_carried(&named(c"VK_NV_cooperative_matrix2")));
    }
}
