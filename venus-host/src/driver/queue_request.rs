//! The queues that a guest asks for with its device: checked, and made.

use std::{
    collections::BTreeMap,
    sync::{Arc, Once},
};

use ash::vk;

use super::{Failure, FamilyProcs, PhysicalDevice, Procs, device::slice, sync::Queue};
use crate::error::APPLICATION;

/// Queues that the guest asks for.
#[derive(Clone, Copy)]
pub(super) struct QueueRequest {
    family: u32,
    count: u32,
    flags: vk::DeviceQueueCreateFlags,
}

pub(super) fn queue_requests(info: &vk::DeviceCreateInfo<'_>) -> Vec<QueueRequest> {
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let infos = unsafe { slice(info.p_queue_create_infos, info.queue_create_info_count) };
    infos
        .iter()
        .map(|info| QueueRequest { family: info.queue_family_index, count: info.queue_count, flags: info.flags })
        .collect()
}

/// Refuses families that do not exist and more queues than a family has: drivers index tables with these.
pub(super) fn check_queue_requests(
    requests: &[QueueRequest],
    families: &[vk::QueueFamilyProperties],
) -> Result<(), Failure> {
    let mut totals = BTreeMap::<u32, u64>::new();
    for request in requests {
        let total = totals.entry(request.family).or_default();
        *total = total.saturating_add(request.count.into());
    }
    for (family, total) in totals {
        let known = usize::try_from(family).ok().and_then(|index| families.get(index));
        let (member, reason) = match known {
            Some(known) if total <= u64::from(known.queue_count) => continue,
            Some(known) => (
                "pCreateInfo->pQueueCreateInfos[].queueCount",
                format!("{total} queues of family {family}, which has {}", known.queue_count),
            ),
            None => (
                "pCreateInfo->pQueueCreateInfos[].queueFamilyIndex",
                format!("is {family}, and there are {} families", families.len()),
            ),
        };
        return Err(Failure::refused(vk::Result::ERROR_UNKNOWN, member, reason, APPLICATION));
    }
    Ok(())
}

/// The entry points for the families, of those that are asked for, that cannot do everything.
pub(super) fn restricted_procs(
    procs: &Procs,
    requests: &[QueueRequest],
    physical: &PhysicalDevice,
) -> BTreeMap<u32, Arc<FamilyProcs>> {
    let families = requests.iter().map(|request| request.family);
    let restricted =
        families.filter_map(|family| Some((family, FamilyProcs::of(procs, family, physical.queue_families())?)));
    restricted.map(|(family, procs)| (family, Arc::new(procs))).collect()
}

pub(super) fn create_queues(fns: &ash::Device, requests: &[QueueRequest]) -> Vec<Arc<Queue>> {
    let mut queues = Vec::new();
    for request in requests {
        for index in 0..request.count {
            let raw = if request.flags.is_empty() {
                // SAFETY: family and index are among those the device was created with.
                unsafe { fns.get_device_queue(request.family, index) }
            } else {
                let info = vk::DeviceQueueInfo2::default()
                    .flags(request.flags)
                    .queue_family_index(request.family)
                    .queue_index(index);
                // SAFETY: as above, with the same flags.
                unsafe { fns.get_device_queue2(&info) }
            };
            queues.push(Arc::new(Queue::new(raw, request.family, index, request.flags)));
        }
    }
    queues
}

/// Logs, once in a process, that guests do not get the global priority that they ask for: it is the host's doing, and a
/// guest may create devices as often as it likes.
#[cold]
pub(super) fn tell_of_priorities() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        tracing::warn!(
            "vkCreateDevice: the driver answers VK_ERROR_NOT_PERMITTED to a global priority, and is asked for the default \
             one: whoever runs the host has no right to more (CAP_SYS_NICE)"
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_requests_stay_within_their_families() {
        let families = [
            vk::QueueFamilyProperties { queue_count: 2, ..Default::default() },
            vk::QueueFamilyProperties { queue_count: 1, ..Default::default() },
        ];
        let request = |family, count| QueueRequest { family, count, flags: vk::DeviceQueueCreateFlags::empty() };
        let check = |requests: &[QueueRequest]| check_queue_requests(requests, &families).is_ok();
        assert!(check(&[request(0, 2), request(1, 1)]));
        assert!(!check(&[request(2, 1)]));
        assert!(!check(&[request(1, 2)]));
        // A family may be asked for twice with different flags, but not for more than it has.
        assert!(check(&[request(0, 1), request(0, 1)]));
        assert!(!check(&[request(0, u32::MAX), request(0, u32::MAX)]));
    }
}
