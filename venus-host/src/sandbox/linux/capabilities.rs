//! Capabilities, of which root has all.
//!
//! No driver is known to need one: GPUs' devices are opened as their modes say, which let root in where it is their owner.

use rustix::{
    io::Errno,
    thread::{
        CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
        set_capabilities,
    },
};

/// Gives up all of this thread's, for good, and those that a program could gain.
pub(super) fn give_up() -> Result<(), String> {
    let failed = |error: Errno| format!("capabilities cannot be given up: {error}");
    let held = capabilities(None).map_err(failed)?;
    // Who may not choose gains nothing by programs in any case, since new privileges are given up.
    if held.effective.contains(CapabilitySet::SETPCAP) {
        // The kernel says which is none.
        let all = (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number));
        let mut outcomes = all.map(remove_capability_from_bounding_set);
        match outcomes.find_map(Result::err) {
            None | Some(Errno::INVAL) => {}
            Some(error) => return Err(failed(error)),
        }
    }
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    if held == none {
        return Ok(());
    }
    clear_ambient_capability_set().map_err(failed)?;
    set_capabilities(None, none).map_err(failed)
}
