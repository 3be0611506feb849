//! The same, of descriptors: those that a command writes, copies or pushes are places of the set's layout.
//!
//! Drivers compute where a descriptor lies from the table of the layout's bindings, and write there.

use std::sync::Arc;

use ash::vk;
use venus_protocol::vk as venus;

use super::{
    super::{Refusal, chain, device::slice, made::Known},
    at_most, buffers, refusal, span,
};

/// Descriptors of all bindings of a layout, at most. Vulkan has no limit that a layout alone could break, and drivers add
/// and multiply such numbers in 32 bits: up to here neither the sum wraps around nor the bytes, where a descriptor has less
/// than 256.
const MOST_DESCRIPTORS: u64 = 1 << 24;

/// One binding of a layout.
struct Binding {
    number: u32,
    kind: vk::DescriptorType,
    /// How many descriptors it has, or bytes if it is a uniform block.
    count: u32,
    has_samplers: bool,
    /// The types that descriptors of the type VK_DESCRIPTOR_TYPE_MUTABLE_EXT may have.
    kinds: Box<[vk::DescriptorType]>,
}

impl Binding {
    /// Whether descriptors of this type may lie there.
    fn takes(&self, kind: vk::DescriptorType) -> bool {
        kind == self.kind || self.kind == vk::DescriptorType::MUTABLE_EXT && self.kinds.contains(&kind)
    }
}

/// What a layout of descriptor sets was made with.
pub(crate) struct SetLayout {
    /// By number.
    bindings: Box<[Binding]>,
    /// How many descriptors take an offset when their set is bound, less those of the last binding if sets say how many
    /// that has.
    dynamic: u32,
    /// Sets say how many descriptors the last binding has.
    is_variable: bool,
    /// It is for descriptors that are pushed.
    is_pushed: bool,
}

fn is_dynamic(kind: vk::DescriptorType) -> bool {
    matches!(kind, vk::DescriptorType::UNIFORM_BUFFER_DYNAMIC | vk::DescriptorType::STORAGE_BUFFER_DYNAMIC)
}

impl SetLayout {
    /// What a layout is made with.
    pub(crate) fn of(info: &vk::DescriptorSetLayoutCreateInfo<'_>) -> Self {
        // SAFETY: (of all slices) counts and pointers belong together, and pointers are null or live as long as `info`: the
        // decoder made them.
        let bindings = unsafe { slice(info.p_bindings, info.binding_count) };
        let lists = chain::find_all::<vk::MutableDescriptorTypeCreateInfoEXT<'_>>(info).next();
        // SAFETY: as above.
        let lists = lists.map_or(&[][..], |lists| unsafe {
            slice(lists.p_mutable_descriptor_type_lists, lists.mutable_descriptor_type_list_count)
        });
        let mut lists = lists.iter();
        let mut bindings: Box<[Binding]> = bindings
            .iter()
            .map(|binding| {
                // SAFETY: as above.
                let kinds = lists
                    .next()
                    .map_or(&[][..], |list| unsafe { slice(list.p_descriptor_types, list.descriptor_type_count) });
                Binding {
                    number: binding.binding,
                    kind: binding.descriptor_type,
                    count: binding.descriptor_count,
                    has_samplers: !binding.p_immutable_samplers.is_null(),
                    kinds: kinds.into(),
                }
            })
            .collect();
        let flags = chain::find_all::<vk::DescriptorSetLayoutBindingFlagsCreateInfo<'_>>(info).next();
        // SAFETY: as above.
        let flags = flags.map_or(&[][..], |flags| unsafe { slice(flags.p_binding_flags, flags.binding_count) });
        let is_variable =
            flags.iter().any(|flags| flags.contains(vk::DescriptorBindingFlags::VARIABLE_DESCRIPTOR_COUNT));
        bindings.sort_unstable_by_key(|binding| binding.number);
        let fixed = bindings.len().saturating_sub(usize::from(is_variable));
        let dynamic = bindings.iter().take(fixed).filter(|binding| is_dynamic(binding.kind));
        let dynamic = dynamic.fold(0_u32, |sum, binding| sum.saturating_add(binding.count));
        let is_pushed = info.flags.contains(vk::DescriptorSetLayoutCreateFlags::PUSH_DESCRIPTOR_KHR);
        Self { bindings, dynamic, is_variable, is_pushed }
    }

    /// Where a binding stands, and what it is.
    #[inline]
    fn find(&self, number: u32) -> Option<(usize, &Binding)> {
        // Mostly bindings have the numbers from 0 on.
        let place = usize::try_from(number).ok()?;
        match self.bindings.get(place) {
            Some(binding) if binding.number == number => Some((place, binding)),
            _ => self.search(number),
        }
    }

    fn search(&self, number: u32) -> Option<(usize, &Binding)> {
        let place = self.bindings.binary_search_by_key(&number, |binding| binding.number).ok()?;
        Some((place, self.bindings.get(place)?))
    }

    /// How many descriptors a binding has in a set that says it of the last one.
    #[inline]
    fn count(&self, place: usize, binding: &Binding, variable: u32) -> u32 {
        if self.is_variable && place.saturating_add(1) == self.bindings.len() { variable } else { binding.count }
    }

    /// `count` descriptors from one of a binding on are the layout's, and take this type, which may be any. What is more than
    /// a binding has is the next one's, if that is of the same type.
    #[inline]
    fn has(&self, names: [&'static str; 2], range: &Range) -> Result<&Binding, Refusal> {
        let [name, _] = names;
        let (place, first) = self.find(range.binding).ok_or_else(|| no_binding(name, range.binding))?;
        let end = u64::from(range.element).saturating_add(range.count.into());
        let is_simple = first.count != 0 && range.kind.is_none_or(|kind| kind == first.kind);
        if is_simple && end <= self.count(place, first, range.variable).into() {
            return Ok(first);
        }
        self.has_several(names, range, (place, first))
    }

    /// The same, where it takes a closer look.
    #[cold]
    fn has_several<'a>(
        &'a self,
        [names_binding, names_element]: [&'static str; 2],
        range: &Range,
        (place, first): (usize, &'a Binding),
    ) -> Result<&'a Binding, Refusal> {
        if first.count == 0 {
            return Err(no_binding(names_binding, range.binding));
        }
        let mut end = u64::from(range.element).saturating_add(range.count.into());
        for (place, binding) in self.bindings.iter().enumerate().skip(place) {
            let takes = |kind| binding.takes(kind);
            if binding.count != 0 && (binding.kind != first.kind || !range.kind.is_none_or(takes)) {
                return Err(other_type(binding, range));
            }
            let count = u64::from(self.count(place, binding, range.variable));
            if end <= count {
                return Ok(first);
            }
            end = end.saturating_sub(count);
        }
        Err(too_many(names_element, range))
    }
}

/// Some descriptors of a set.
struct Range {
    binding: u32,
    element: u32,
    count: u32,
    kind: Option<vk::DescriptorType>,
    /// How many descriptors the last binding has, if sets say that.
    variable: u32,
}

#[cold]
fn no_binding(member: &'static str, number: u32) -> Refusal {
    refusal(member, format!("is {number}, and the layout has no such binding"))
}

#[cold]
fn other_type(binding: &Binding, range: &Range) -> Refusal {
    let (number, has) = (binding.number, binding.kind.as_raw());
    let kind = range.kind.map_or(-1, vk::DescriptorType::as_raw);
    refusal("descriptorType", format!("is {kind}, and binding {number} of the layout takes {has}"))
}

#[cold]
fn too_many(member: &'static str, range: &Range) -> Refusal {
    let Range { binding, element, count, .. } = range;
    refusal(member, format!("{count} descriptors from {element} of binding {binding} on are more than the layout has"))
}

/// A layout does not have too many descriptors for a driver to count, and its bindings have numbers of their own.
pub(crate) fn check_layout(info: &vk::DescriptorSetLayoutCreateInfo<'_>) -> Result<(), Refusal> {
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let bindings = unsafe { slice(info.p_bindings, info.binding_count) };
    let (mut sum, mut next, mut is_sorted) = (0_u64, 0_u64, true);
    for binding in bindings {
        sum = sum.saturating_add(binding.descriptor_count.into());
        is_sorted &= u64::from(binding.binding) >= next;
        next = u64::from(binding.binding).saturating_add(1);
    }
    if sum > MOST_DESCRIPTORS {
        let reason = format!("{sum} descriptors are more than the limit of {MOST_DESCRIPTORS}");
        return Err(refusal("pCreateInfo->pBindings[].descriptorCount", reason));
    }
    if is_sorted { Ok(()) } else { check_numbers(bindings) }
}

/// The numbers of bindings differ, in whatever order they are.
#[cold]
fn check_numbers(bindings: &[vk::DescriptorSetLayoutBinding<'_>]) -> Result<(), Refusal> {
    let mut numbers: Vec<u32> = bindings.iter().map(|binding| binding.binding).collect();
    numbers.sort_unstable();
    match numbers.windows(2).find(|pair| pair.first() == pair.last()) {
        Some(pair) => Err(refusal("pCreateInfo->pBindings[].binding", format!("two are called {pair:?}"))),
        None => Ok(()),
    }
}

/// How many descriptors the last bindings of new sets have, where sets say that.
pub(crate) fn variable_counts<'a>(info: &vk::DescriptorSetAllocateInfo<'a>) -> &'a [u32] {
    let counts = chain::find_all::<vk::DescriptorSetVariableDescriptorCountAllocateInfo<'_>>(info).next();
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    counts.map_or(&[][..], |counts| unsafe { slice(counts.p_descriptor_counts, counts.descriptor_set_count) })
}

/// Sets have no more descriptors than their layouts.
pub(crate) fn check_allocation(known: &mut Known<'_>, info: &vk::DescriptorSetAllocateInfo<'_>) -> Result<(), Refusal> {
    const MEMBER: &str = "pAllocateInfo->pNext<VkDescriptorSetVariableDescriptorCountAllocateInfo>.pDescriptorCounts[]";
    // SAFETY: as above.
    let layouts = unsafe { slice(info.p_set_layouts, info.descriptor_set_count) };
    for (layout, count) in layouts.iter().zip(variable_counts(info)) {
        let Some(layout) = known.set_layout(*layout).filter(|layout| layout.is_variable) else { continue };
        let most = layout.bindings.last().map_or(0, |binding| binding.count);
        at_most(MEMBER, *count, most)?;
    }
    Ok(())
}

/// What is written of a type of descriptors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Sampler,
    Image,
    View,
    Buffer,
    /// Something in a chain.
    Chained,
}

#[inline]
fn content(kind: vk::DescriptorType) -> Content {
    match kind {
        vk::DescriptorType::SAMPLER => Content::Sampler,
        vk::DescriptorType::COMBINED_IMAGE_SAMPLER
        | vk::DescriptorType::SAMPLED_IMAGE
        | vk::DescriptorType::STORAGE_IMAGE
        | vk::DescriptorType::INPUT_ATTACHMENT => Content::Image,
        vk::DescriptorType::UNIFORM_TEXEL_BUFFER | vk::DescriptorType::STORAGE_TEXEL_BUFFER => Content::View,
        vk::DescriptorType::UNIFORM_BUFFER
        | vk::DescriptorType::STORAGE_BUFFER
        | vk::DescriptorType::UNIFORM_BUFFER_DYNAMIC
        | vk::DescriptorType::STORAGE_BUFFER_DYNAMIC => Content::Buffer,
        _ => Content::Chained,
    }
}

/// The members that say of a write where it goes.
const WRITTEN: [&str; 2] = ["pDescriptorWrites[].dstBinding", "pDescriptorWrites[].dstArrayElement"];

/// A write goes to descriptors of a layout. Says whether these have samplers of their own.
#[inline]
fn check_place(write: &vk::WriteDescriptorSet<'_>, layout: &SetLayout, variable: u32) -> Result<bool, Refusal> {
    let range = Range {
        binding: write.dst_binding,
        element: write.dst_array_element,
        count: write.descriptor_count,
        kind: Some(write.descriptor_type),
        variable,
    };
    layout.has(WRITTEN, &range).map(|binding| binding.has_samplers)
}

/// What is written is there, since drivers take hold of it, and its buffers have what it says.
#[inline]
fn check_content(known: &mut Known<'_>, write: &vk::WriteDescriptorSet<'_>, has_samplers: bool) -> Result<(), Refusal> {
    const IMAGE: &str = "pDescriptorWrites[].pImageInfo";
    const VIEW: &str = "pDescriptorWrites[].pTexelBufferView";
    const BUFFER: &str = "pDescriptorWrites[].pBufferInfo";
    const RANGE: &str = "pDescriptorWrites[].pBufferInfo[].range";
    let (member, is_null) = match content(write.descriptor_type) {
        Content::Sampler => (IMAGE, write.p_image_info.is_null() && !has_samplers),
        Content::Image => (IMAGE, write.p_image_info.is_null()),
        Content::View => (VIEW, write.p_texel_buffer_view.is_null()),
        Content::Buffer => {
            // SAFETY: count and pointer belong together and live as long as the write: the decoder made them.
            for info in unsafe { slice(write.p_buffer_info, write.descriptor_count) } {
                buffers::inside_or_rest(RANGE, known.buffer(info.buffer), info.offset, info.range)?;
            }
            (BUFFER, write.p_buffer_info.is_null())
        }
        Content::Chained => return Ok(()),
    };
    if is_null && write.descriptor_count != 0 { Err(nothing(member)) } else { Ok(()) }
}

#[cold]
fn nothing(member: &'static str) -> Refusal {
    refusal(member, "is null".to_owned())
}

/// What is written to sets, and copied from one to another.
#[inline]
pub(crate) fn check_update(
    known: &mut Known<'_>,
    writes: &[vk::WriteDescriptorSet<'_>],
    copies: &[vk::CopyDescriptorSet<'_>],
) -> Result<(), Refusal> {
    for write in writes {
        if write.dst_set == vk::DescriptorSet::null() {
            return Err(nothing("pDescriptorWrites[].dstSet"));
        }
        let has_samplers = match known.set(write.dst_set) {
            Some(set) => check_place(write, &set.layout, set.variable)?,
            None => true,
        };
        check_content(known, write, has_samplers)?;
    }
    copies.iter().try_for_each(|copy| check_copied(known, copy))
}

fn check_copied(known: &mut Known<'_>, copy: &vk::CopyDescriptorSet<'_>) -> Result<(), Refusal> {
    let (from, to) = (known.set(copy.src_set).cloned(), known.set(copy.dst_set));
    let (Some(from), Some(to)) = (from, to) else { return Ok(()) };
    let count = copy.descriptor_count;
    let (binding, element, variable) = (copy.src_binding, copy.src_array_element, from.variable);
    let range = Range { binding, element, count, kind: None, variable };
    let members = ["pDescriptorCopies[].srcBinding", "pDescriptorCopies[].srcArrayElement"];
    let source = from.layout.has(members, &range)?;
    let (binding, element, variable) = (copy.dst_binding, copy.dst_array_element, to.variable);
    let range = Range { binding, element, count, kind: None, variable };
    let members = ["pDescriptorCopies[].dstBinding", "pDescriptorCopies[].dstArrayElement"];
    let target = to.layout.has(members, &range)?;
    let is_mutable = [source.kind, target.kind].contains(&vk::DescriptorType::MUTABLE_EXT);
    if source.kind == target.kind || is_mutable {
        return Ok(());
    }
    let (from, to) = (source.kind.as_raw(), target.kind.as_raw());
    Err(refusal("pDescriptorCopies[].dstBinding", format!("takes {to}, and {from} is copied")))
}

/// Descriptors that are pushed are those of a layout that is for that, and which the pipeline layout has at the place.
pub(crate) fn check_pushed(
    known: &mut Known<'_>,
    [member, layout_member]: [&'static str; 2],
    (layout, set): (vk::PipelineLayout, u32),
    writes: &[vk::WriteDescriptorSet<'_>],
) -> Result<(), Refusal> {
    let layouts = known.pipeline_layout(layout).map(Arc::clone);
    let set_layout = match &layouts {
        None => None,
        Some(layouts) => {
            let place = usize::try_from(set).ok().and_then(|place| layouts.get(place));
            let Some(found) = place else {
                return Err(refusal(member, format!("is {set}, and the layout has {} sets", layouts.len())));
            };
            found.as_deref()
        }
    };
    if set_layout.is_some_and(|layout| !layout.is_pushed) {
        return Err(refusal(layout_member, format!("has no descriptors to be pushed at {set}")));
    }
    writes.iter().try_for_each(|write| {
        let has_samplers = set_layout.map_or(Ok(true), |layout| check_place(write, layout, 0))?;
        check_content(known, write, has_samplers)
    })
}

/// The same, for the newer version of the command.
pub(crate) fn check_pushed2(known: &mut Known<'_>, info: &venus::PushDescriptorSetInfoKHR<'_>) -> Result<(), Refusal> {
    // SAFETY: count and pointer belong together and live as long as `info`: the decoder made them.
    let writes = unsafe { slice(info.p_descriptor_writes, info.descriptor_write_count) };
    let members = ["pPushDescriptorSetInfo->set", "pPushDescriptorSetInfo->layout"];
    check_pushed(known, members, (info.layout, info.set), writes)
}

/// The layout has places for the sets that are bound, and there is an offset for each descriptor that takes one.
#[inline]
pub(crate) fn check_bound(
    known: &mut Known<'_>,
    [member, offsets_member]: [&'static str; 2],
    (layout, first): (vk::PipelineLayout, u32),
    (sets, offsets): (&[vk::DescriptorSet], u32),
) -> Result<(), Refusal> {
    if let Some(layouts) = known.pipeline_layout(layout) {
        let [places, count] = [layouts.len(), sets.len()].map(|len| u32::try_from(len).unwrap_or(u32::MAX));
        span(member, first, count, places)?;
    }
    let dynamic = sets.iter().fold(0_u32, |sum, set| sum.saturating_add(known.dynamic_count(*set)));
    if dynamic <= offsets { Ok(()) } else { Err(missing_offsets(offsets_member, offsets, dynamic)) }
}

#[cold]
fn missing_offsets(member: &'static str, there_are: u32, needed: u32) -> Refusal {
    refusal(member, format!("is {there_are}, and the sets have {needed} dynamic descriptors"))
}

/// The same, for the newer version of the command.
pub(crate) fn check_bound2(known: &mut Known<'_>, info: &vk::BindDescriptorSetsInfoKHR<'_>) -> Result<(), Refusal> {
    // SAFETY: as above.
    let sets = unsafe { slice(info.p_descriptor_sets, info.descriptor_set_count) };
    let members = ["pBindDescriptorSetsInfo->firstSet", "pBindDescriptorSetsInfo->dynamicOffsetCount"];
    check_bound(known, members, (info.layout, info.first_set), (sets, info.dynamic_offset_count))
}

impl SetLayout {
    /// How many descriptors of a set take an offset when it is bound.
    pub(crate) fn dynamic_in(&self, variable: u32) -> u32 {
        let last = self.bindings.last().filter(|binding| self.is_variable && is_dynamic(binding.kind));
        self.dynamic.saturating_add(last.map_or(0, |_| variable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 2] = ["binding", "element"];

    /// A layout of bindings with these numbers, types and numbers of descriptors.
    fn layout(bindings: &[(u32, vk::DescriptorType, u32)], is_variable: bool) -> SetLayout {
        let none = vk::DescriptorBindingFlags::empty();
        let mut flags = vec![none; bindings.len()];
        if is_variable {
            flags.pop();
            flags.push(vk::DescriptorBindingFlags::VARIABLE_DESCRIPTOR_COUNT);
        }
        let binding = |&(number, kind, count): &(u32, vk::DescriptorType, u32)| {
            vk::DescriptorSetLayoutBinding::default().binding(number).descriptor_type(kind).descriptor_count(count)
        };
        let bindings: Vec<_> = bindings.iter().map(binding).collect();
        let mut flags = vk::DescriptorSetLayoutBindingFlagsCreateInfo::default().binding_flags(&flags);
        SetLayout::of(&vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings).push_next(&mut flags))
    }

    /// What is wrong with so many descriptors from one on, in a set that has 5 in a last binding of any number.
    fn has(
        layout: &SetLayout,
        kind: vk::DescriptorType,
        [binding, element, count]: [u32; 3],
    ) -> Result<(), &'static str> {
        let range = Range { binding, element, count, kind: Some(kind), variable: 5 };
        layout.has(NAMES, &range).map(drop).map_err(|refusal| refusal.member)
    }

    const BUFFER: vk::DescriptorType = vk::DescriptorType::STORAGE_BUFFER;
    const IMAGE: vk::DescriptorType = vk::DescriptorType::SAMPLED_IMAGE;

    #[test]
    fn descriptors_go_on_in_the_next_binding() {
        // Out of order, with gaps, and with one that has none.
        let layout = layout(&[(9, IMAGE, 1), (2, BUFFER, 2), (4, BUFFER, 3), (3, IMAGE, 0), (7, IMAGE, 4)], false);
        assert_eq!(has(&layout, BUFFER, [2, 0, 5]), Ok(()));
        assert_eq!(has(&layout, BUFFER, [2, 3, 2]), Ok(()));
        assert_eq!(has(&layout, BUFFER, [2, 0, 6]), Err("descriptorType"));
        assert_eq!(has(&layout, BUFFER, [4, 3, 1]), Err("descriptorType"));
        assert_eq!(has(&layout, IMAGE, [7, 0, 5]), Ok(()));
        assert_eq!(has(&layout, IMAGE, [7, 0, 6]), Err("element"));
        assert_eq!(has(&layout, IMAGE, [7, u32::MAX, u32::MAX]), Err("element"));
        assert_eq!(has(&layout, IMAGE, [2, 0, 1]), Err("descriptorType"));
        assert_eq!([has(&layout, IMAGE, [3, 0, 1]), has(&layout, IMAGE, [8, 0, 1])], [Err("binding"); 2]);
    }

    #[test]
    fn a_last_binding_may_be_as_large_as_its_set_says() {
        let of = |is_variable| layout(&[(0, IMAGE, 2), (1, BUFFER, 100)], is_variable);
        assert_eq!(has(&of(false), BUFFER, [1, 0, 100]), Ok(()));
        assert_eq!(has(&of(true), BUFFER, [1, 0, 5]), Ok(()));
        assert_eq!(has(&of(true), BUFFER, [1, 0, 6]), Err("element"));
        let dynamic = [(0, vk::DescriptorType::UNIFORM_BUFFER_DYNAMIC, 2), (1, BUFFER, 1)];
        assert_eq!(layout(&dynamic, false).dynamic_in(5), 2);
        let dynamic = [(0, BUFFER, 1), (1, vk::DescriptorType::STORAGE_BUFFER_DYNAMIC, 9)];
        assert_eq!(layout(&dynamic, true).dynamic_in(5), 5);
    }

    #[test]
    fn what_may_be_of_several_types_is_of_those() {
        let (types, number) = ([BUFFER, IMAGE], vk::DescriptorType::MUTABLE_EXT);
        let lists = [vk::MutableDescriptorTypeListEXT::default().descriptor_types(&types)];
        let mut lists = vk::MutableDescriptorTypeCreateInfoEXT::default().mutable_descriptor_type_lists(&lists);
        let binding = vk::DescriptorSetLayoutBinding::default().descriptor_type(number).descriptor_count(1);
        let bindings = [binding];
        let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings).push_next(&mut lists);
        let layout = SetLayout::of(&info);
        assert_eq!([has(&layout, BUFFER, [0, 0, 1]), has(&layout, IMAGE, [0, 0, 1])], [Ok(()); 2]);
        assert_eq!(has(&layout, vk::DescriptorType::SAMPLER, [0, 0, 1]), Err("descriptorType"));
    }

    #[test]
    fn layouts_can_be_counted() {
        let check = |bindings: &[(u32, u32)]| {
            let binding =
                |&(number, count)| vk::DescriptorSetLayoutBinding::default().binding(number).descriptor_count(count);
            let bindings: Vec<_> = bindings.iter().map(binding).collect();
            check_layout(&vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings)).is_ok()
        };
        assert!(check(&[]) && check(&[(3, 1 << 23), (1, 1 << 23)]));
        assert!(!check(&[(3, 1 << 23), (1, 1 << 23), (2, 1)]) && !check(&[(0, u32::MAX), (1, 2)]));
        assert!(!check(&[(3, 1), (1, 1), (3, 1)]));
    }
}
