//! `pNext` chains: which structures may follow which root, and when a guest may send them.

use std::collections::BTreeMap;

use super::names::Names;
use super::select::{Origin, Selection};
use crate::diag::Diagnostics;
use crate::model::{Announced, Model, StructId};
use crate::parse::{Registry, VenusRegistry};

/// The newest core version whose structures every peer knows: the protocol began there.
const ALWAYS_KNOWN: (u32, u32) = (1, 2);

pub(super) fn link(
    model: &mut Model,
    vk: &Registry,
    venus: &VenusRegistry,
    names: &Names<'_>,
    selection: &Selection<'_>,
    diags: &mut Diagnostics,
) {
    let ids: BTreeMap<String, StructId> =
        model.structs.iter().enumerate().map(|(index, s)| (s.name().to_owned(), StructId(index))).collect();
    for record in vk.types.iter().chain(&venus.types).filter(|record| record.alias.is_none()) {
        let Some(child) = ids.get(&record.name) else { continue };
        for root in &record.structextends {
            let Some(root_name) = names.canonical_type(root) else {
                let message = format!("structextends names {root}, which does not exist");
                diags.push(&record.at, format!("type {}", record.name), message, "repair the attribute");
                continue;
            };
            let root = ids.get(root_name).and_then(|id| model.structs[id.0].chain.as_mut());
            if let Some(chain) = root.filter(|chain| !chain.children.contains(child)) {
                chain.children.push(*child);
            }
        }
        let origins = selection.origins.get(record.name.as_str()).map_or(&[][..], Vec::as_slice);
        if let Some(chain) = &mut model.structs[child.0].chain {
            chain.announced = announced(origins);
        }
    }
}

/// A structure may be sent if any of its origins is known to the peer.
fn announced(origins: &[Origin]) -> Announced {
    let always = |origin: &Origin| match origin {
        Origin::Core(major, minor) => (*major, *minor) <= ALWAYS_KNOWN,
        Origin::Protocol => true,
        Origin::Extensions(_) => false,
    };
    if origins.iter().any(always) {
        return Announced::Always;
    }
    let sets: Vec<Vec<u32>> = origins
        .iter()
        .filter_map(|origin| match origin {
            Origin::Extensions(numbers) => Some(numbers.clone()),
            Origin::Core(..) | Origin::Protocol => None,
        })
        .collect();
    let version = origins.iter().find_map(|origin| match origin {
        Origin::Core(major, minor) => Some((*major, *minor)),
        Origin::Extensions(_) | Origin::Protocol => None,
    });
    match (sets.is_empty(), version) {
        (false, _) => Announced::Extensions(sets),
        (true, Some((major, minor))) => Announced::Version(major, minor),
        // Mentioned by a selected declaration only.
        (true, None) => Announced::Always,
    }
}
