//! The same, of memory: what is bound to it lies inside of it, as the driver wants it to.
//!
//! How much memory a resource takes is the driver's to say, so it is asked, once more than the guest has asked.

use ash::vk;

use super::{
    super::{
        Device, Refusal, chain,
        device::slice,
        made::{Known, Memory},
    },
    below, refusal,
};

/// What is wrong where a bind names memory that a resource does not fit into.
#[cold]
fn unfit(member: &'static str, needs: &vk::MemoryRequirements, memory: Memory, offset: u64) -> Refusal {
    let vk::MemoryRequirements { size, alignment, memory_type_bits } = *needs;
    let (bytes, kind) = (memory.size, memory.kind);
    let reason = format!(
        "is {offset} in {bytes} bytes of type {kind}: it takes {size}, aligned to {alignment}, of a type in {memory_type_bits:#x}"
    );
    refusal(member, reason)
}

/// A resource fits into memory, from an offset on.
fn fits(
    member: &'static str,
    needs: &vk::MemoryRequirements,
    memory: Option<Memory>,
    offset: u64,
) -> Result<(), Refusal> {
    let Some(memory) = memory else { return Ok(()) };
    let ends = offset.checked_add(needs.size).is_some_and(|end| end <= memory.size);
    let is_aligned = needs.alignment == 0 || offset.is_multiple_of(needs.alignment);
    let has_type = 1_u32.checked_shl(memory.kind).is_some_and(|bit| needs.memory_type_bits & bit != 0);
    if ends && is_aligned && has_type { Ok(()) } else { Err(unfit(member, needs, memory, offset)) }
}

impl Device {
    fn needs_of_buffer(&self, buffer: vk::Buffer) -> vk::MemoryRequirements {
        // SAFETY: the buffer is of this device, and stays alive until the end of the command.
        unsafe { self.fns().get_buffer_memory_requirements(buffer) }
    }

    fn needs_of_image(&self, image: vk::Image) -> vk::MemoryRequirements {
        // SAFETY: as for buffers; whoever calls knows that it is not one whose planes are bound each on its own.
        unsafe { self.fns().get_image_memory_requirements(image) }
    }

    /// The same of a plane; `None` if the driver knows no planes.
    fn needs_of_plane(&self, image: vk::Image, aspect: vk::ImageAspectFlags) -> Option<vk::MemoryRequirements> {
        let call = self.procs().get_image_memory_requirements2?;
        let mut plane = vk::ImagePlaneMemoryRequirementsInfo::default().plane_aspect(aspect);
        let info = vk::ImageMemoryRequirementsInfo2::default().image(image).push_next(&mut plane);
        let mut needs = vk::MemoryRequirements2::default();
        // SAFETY: as for buffers; planes and this command are of the same version of Vulkan.
        unsafe { call(self.raw(), &info, &mut needs) };
        Some(needs.memory_requirements)
    }

    /// A buffer fits into the memory that it is bound to.
    pub(crate) fn check_buffer_bind(
        &self,
        known: &mut Known<'_>,
        member: &'static str,
        (buffer, memory, offset): (vk::Buffer, vk::DeviceMemory, u64),
    ) -> Result<(), Refusal> {
        if known.buffer(buffer).is_none() {
            return Ok(());
        }
        fits(member, &self.needs_of_buffer(buffer), known.memory(memory), offset)
    }

    /// The same of several.
    pub(crate) fn check_buffer_binds(
        &self,
        known: &mut Known<'_>,
        binds: &[vk::BindBufferMemoryInfo<'_>],
    ) -> Result<(), Refusal> {
        binds.iter().try_for_each(|bind| {
            self.check_buffer_bind(known, "pBindInfos[].memoryOffset", (bind.buffer, bind.memory, bind.memory_offset))
        })
    }

    /// An image fits into the memory that it, or a plane of it, is bound to.
    pub(crate) fn check_image_bind(
        &self,
        known: &mut Known<'_>,
        member: &'static str,
        (image, memory, offset): (vk::Image, vk::DeviceMemory, u64),
        plane: Option<vk::ImageAspectFlags>,
    ) -> Result<(), Refusal> {
        let Some(made) = known.image(image) else { return Ok(()) };
        let needs = match (made.flags.contains(vk::ImageCreateFlags::DISJOINT), plane) {
            (true, Some(aspect)) => match self.needs_of_plane(image, aspect) {
                Some(needs) => needs,
                None => return Ok(()),
            },
            (true, None) => return Err(refusal(member, "is for no plane, and each is bound on its own".to_owned())),
            (false, _) => self.needs_of_image(image),
        };
        fits(member, &needs, known.memory(memory), offset)
    }

    /// The same of several.
    pub(crate) fn check_image_binds(
        &self,
        known: &mut Known<'_>,
        binds: &[vk::BindImageMemoryInfo<'_>],
    ) -> Result<(), Refusal> {
        binds.iter().try_for_each(|bind| {
            let plane = chain::find_all::<vk::BindImagePlaneMemoryInfo<'_>>(bind).next().map(|of| of.plane_aspect);
            let bound = (bind.image, bind.memory, bind.memory_offset);
            self.check_image_bind(known, "pBindInfos[].memoryOffset", bound, plane)
        })
    }

    /// Sparse binds are about memory, and parts of resources, that there are.
    pub(crate) fn check_sparse_binds(
        &self,
        known: &mut Known<'_>,
        infos: &[vk::BindSparseInfo<'_>],
    ) -> Result<(), Refusal> {
        for info in infos {
            // SAFETY: (of all slices) counts and pointers belong together, and live as long as `info`: the decoder made them.
            let buffers = unsafe { slice(info.p_buffer_binds, info.buffer_bind_count) };
            for bound in buffers.iter().filter(|bound| bound.buffer != vk::Buffer::null()) {
                let size = self.needs_of_buffer(bound.buffer).size;
                // SAFETY: as above.
                let binds = unsafe { slice(bound.p_binds, bound.bind_count) };
                binds.iter().try_for_each(|bind| check_sparse_bind(known, bind, Some(size)))?;
            }
            // SAFETY: as above.
            let images = unsafe { slice(info.p_image_opaque_binds, info.image_opaque_bind_count) };
            for bound in images {
                // SAFETY: as above.
                let binds = unsafe { slice(bound.p_binds, bound.bind_count) };
                // What drivers keep of an image beside its texels is at offsets of their own.
                binds.iter().try_for_each(|bind| check_sparse_bind(known, bind, None))?;
            }
            // SAFETY: as above.
            let images = unsafe { slice(info.p_image_binds, info.image_bind_count) };
            for bound in images {
                const LEVEL: &str = "pBindInfo[].pImageBinds[].pBinds[].subresource.mipLevel";
                const LAYER: &str = "pBindInfo[].pImageBinds[].pBinds[].subresource.arrayLayer";
                let Some(image) = known.image(bound.image) else { continue };
                // SAFETY: as above.
                for bind in unsafe { slice(bound.p_binds, bound.bind_count) } {
                    below(LEVEL, bind.subresource.mip_level, image.levels)?;
                    below(LAYER, bind.subresource.array_layer, image.layers)?;
                    let memory = known.memory(bind.memory).map(|memory| memory.size);
                    let member = "pBindInfo[].pImageBinds[].pBinds[].memoryOffset";
                    super::buffers::inside(member, memory, bind.memory_offset, 0)?;
                }
            }
        }
        Ok(())
    }
}

/// Bytes of a resource, of which it has so many if that is known, are bound to memory that has as many.
fn check_sparse_bind(known: &mut Known<'_>, bind: &vk::SparseMemoryBind, resource: Option<u64>) -> Result<(), Refusal> {
    super::buffers::inside("pBindInfo[].pBinds[].resourceOffset", resource, bind.resource_offset, bind.size)?;
    let memory = known.memory(bind.memory).map(|memory| memory.size);
    super::buffers::inside("pBindInfo[].pBinds[].memoryOffset", memory, bind.memory_offset, bind.size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bound_fits() {
        let needs = vk::MemoryRequirements { size: 100, alignment: 16, memory_type_bits: 0b101 };
        let check = |size, kind, offset| fits("memoryOffset", &needs, Some(Memory { size, kind }), offset).is_ok();
        assert!(check(100, 0, 0) && check(132, 2, 32));
        assert!(!check(99, 0, 0) && !check(131, 2, 32) && !check(u64::MAX, 0, u64::MAX - 15));
        assert!(!check(200, 0, 8) && !check(200, 1, 0) && !check(200, 40, 0));
        assert!(fits("memoryOffset", &needs, None, 7).is_ok());
    }
}
