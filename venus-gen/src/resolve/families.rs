//! Families: which file of generated code a command or structure belongs to, and which trait handles it.
//!
//! The names follow the C host's `vkr_<family>` files. The rules are rows, tried in order. Nothing of them concerns the
//! wire, so they are here and not in `venus.xml`: a new family is a decision about source files.

use std::collections::BTreeMap;

use crate::model::{Command, Model, StructId, Ty};

/// How a row recognises a command.
enum Rule {
    /// By exact name.
    Named(&'static str),
    /// By a prefix of the name.
    Prefix(&'static str),
    /// By the C type of the first parameter.
    On(&'static str),
    /// By a part of the name.
    About(&'static str),
    /// The protocol's own commands.
    Private,
    Any,
}

const RULES: &[(Rule, &str)] = &[
    (Rule::Named("vkGetMemoryResourcePropertiesMESA"), "device_memory"),
    (Rule::Named("vkResetFenceResourceMESA"), "fence"),
    (Rule::Named("vkWaitSemaphoreResourceMESA"), "semaphore"),
    (Rule::Named("vkImportSemaphoreResourceMESA"), "semaphore"),
    (Rule::Named("vkCopyImageToMemoryMESA"), "image"),
    (Rule::Named("vkCopyMemoryToImageMESA"), "image"),
    (Rule::Named("vkWriteSamplerDescriptorMESA"), "descriptor"),
    (Rule::Named("vkWriteResourceDescriptorMESA"), "descriptor"),
    (Rule::Private, "transport"),
    (Rule::On("VkCommandBuffer"), "command_buffer"),
    (Rule::Named("vkCreateDevice"), "device"),
    (Rule::Named("vkDestroyDevice"), "device"),
    (Rule::Named("vkDeviceWaitIdle"), "device"),
    (Rule::On("VkPhysicalDevice"), "physical_device"),
    (Rule::Prefix("vkEnumeratePhysicalDevice"), "physical_device"),
    (Rule::On("VkQueue"), "queue"),
    (Rule::Prefix("vkGetDeviceQueue"), "queue"),
    (Rule::About("PrivateData"), "private_data"),
    (Rule::About("AccelerationStructure"), "acceleration_structure"),
    (Rule::About("Descriptor"), "descriptor"),
    (Rule::About("CommandPool"), "command_pool"),
    (Rule::About("CommandBuffer"), "command_pool"),
    (Rule::About("RenderPass"), "render_pass"),
    (Rule::About("Framebuffer"), "render_pass"),
    (Rule::About("RenderArea"), "render_pass"),
    (Rule::About("RenderingArea"), "render_pass"),
    (Rule::About("Pipeline"), "pipeline"),
    (Rule::About("RayTracing"), "pipeline"),
    (Rule::About("ShaderModule"), "shader_module"),
    (Rule::About("Sampler"), "sampler"),
    (Rule::About("BorderColor"), "sampler"),
    (Rule::About("QueryPool"), "query_pool"),
    (Rule::About("Event"), "event"),
    (Rule::About("Semaphore"), "semaphore"),
    (Rule::About("Fence"), "fence"),
    (Rule::About("Buffer"), "buffer"),
    (Rule::About("Image"), "image"),
    (Rule::About("Memory"), "device_memory"),
    (Rule::On("VkDevice"), "device"),
    (Rule::Any, "instance"),
];

/// Families with more commands than a file should hold: prefixes of what follows `vkCmd`, and the part they make up.
/// Rows are tried in order; what none of them names stays in the family's own file.
const PARTS: &[(&str, &[&str])] = &[
    ("command_draw", &["Draw", "Dispatch", "TraceRays", "Begin", "End", "Execute", "NextSubpass"]),
    ("command_transfer", &["Copy", "Blit", "Resolve", "Clear", "Fill", "Update", "Write", "Build"]),
    (
        "command_dynamic_state",
        &["SetColor", "SetDepth", "SetStencil", "SetViewport", "SetScissor", "SetLine", "SetRasterization"],
    ),
    ("command_state", &["Set"]),
];

/// Structures that follow these roots are so many that they get files of their own.
const CHAIN_FAMILIES: &[(&str, &str)] =
    &[("VkPhysicalDeviceFeatures2", "features"), ("VkPhysicalDeviceProperties2", "properties")];

pub(super) fn assign(model: &mut Model) {
    for command in &mut model.commands {
        command.family = command_family(command);
        command.part = command_part(command);
    }
    let mut families: BTreeMap<usize, &'static str> = BTreeMap::new();
    let mut union_families: BTreeMap<usize, &'static str> = BTreeMap::new();
    for (root, family) in CHAIN_FAMILIES {
        let chain = model.structs.iter().find(|s| s.name() == *root).and_then(|root| root.chain.as_ref());
        for child in chain.iter().flat_map(|chain| &chain.children) {
            families.entry(child.0).or_insert(family);
        }
    }
    // The first command that reaches a type, in the order of their numbers, decides.
    for command in &model.commands {
        let mut open: Vec<&Ty> = command.params.iter().map(|param| &param.ty).collect();
        while let Some(ty) = open.pop() {
            match ty {
                Ty::Struct(StructId(id)) if !families.contains_key(id) => {
                    families.insert(*id, command.family);
                    open.extend(model.structs[*id].members.iter().map(|member| &member.ty));
                }
                Ty::Union(id) if !union_families.contains_key(&id.0) => {
                    union_families.insert(id.0, command.family);
                    open.extend(model.union(*id).members.iter().map(|member| &member.var.ty));
                }
                _ => {}
            }
        }
        for param in &command.params {
            if let Ty::Struct(id) = param.ty {
                for child in model.structure(id).chain.iter().flat_map(|chain| &chain.children) {
                    families.entry(child.0).or_insert(command.family);
                }
            }
        }
    }
    spread(model, &mut families, &mut union_families);
    for (index, structure) in model.structs.iter_mut().enumerate() {
        structure.family = families.get(&index).copied().unwrap_or("instance");
    }
    for (index, union) in model.unions.iter_mut().enumerate() {
        union.family = union_families.get(&index).copied().unwrap_or("command_buffer");
    }
}

/// Passes the family of a structure on to those it contains or heads, until every reached one has a family.
fn spread(
    model: &Model,
    families: &mut BTreeMap<usize, &'static str>,
    union_families: &mut BTreeMap<usize, &'static str>,
) {
    let mut open: Vec<usize> = families.keys().copied().collect();
    while let Some(index) = open.pop() {
        let family = families.get(&index).copied().unwrap_or("instance");
        let structure = &model.structs[index];
        let children = structure.chain.iter().flat_map(|chain| &chain.children).map(|child| child.0);
        let members = structure.members.iter().filter_map(|member| match &member.ty {
            Ty::Struct(id) => Some(id.0),
            Ty::Union(id) => {
                union_families.entry(id.0).or_insert(family);
                None
            }
            _ => None,
        });
        for next in children.chain(members).collect::<Vec<_>>() {
            families.entry(next).or_insert_with(|| {
                open.push(next);
                family
            });
        }
    }
}

fn command_family(command: &Command) -> &'static str {
    let first = command.params.first().map_or("", |param| param.base.as_str());
    let matches = |rule: &Rule| match rule {
        Rule::Named(name) => command.name == *name,
        Rule::Prefix(prefix) => command.name.starts_with(prefix),
        Rule::On(ty) => first == *ty,
        Rule::About(part) => command.name.contains(part),
        Rule::Private => command.private,
        Rule::Any => true,
    };
    RULES.iter().find(|(rule, _)| matches(rule)).map_or("instance", |(_, family)| family)
}

fn command_part(command: &Command) -> &'static str {
    let matches = |rest: &str, prefixes: &[&str]| prefixes.iter().any(|prefix| rest.starts_with(prefix));
    let recorded = command.name.strip_prefix("vkCmd");
    let part = recorded.and_then(|rest| PARTS.iter().find(|(_, prefixes)| matches(rest, prefixes)));
    part.map_or(command.family, |(part, _)| part)
}
