//! The report for machines: one JSON object with the facts and the judgements that a person gets.
//!
//! Names stay as they are; new ones may be added.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use venus_host::driver::survey::{Gpu, Sparse};

use super::{
    checks::{Judgement, Level},
    facts::Facts,
};

pub(super) fn print(facts: &Facts, judgements: &[Judgement]) -> Value {
    let library = facts.library.as_ref().map(|library| {
        json!({
            "path": library.path,
            "version": library.version,
            "validation_layer": library.validation_layer,
        })
    });
    json!({
        "usable": judgements.iter().all(|judgement| judgement.level != Level::Failure),
        "library": library.unwrap_or(Value::Null),
        "gpus": facts.gpus.iter().flatten().map(gpu).collect::<Vec<_>>(),
        "checks": judgements.iter().map(|judgement| json!({
            "check": judgement.check,
            "level": judgement.level.name(),
            "found": judgement.found,
            "meaning": judgement.meaning,
            "fix": judgement.fix,
        })).collect::<Vec<_>>(),
    })
}

fn gpu(gpu: &Gpu) -> Value {
    let reasons = |rows: &[(&'static str, &'static str)]| -> Value {
        rows.iter().map(|(name, why)| ((*name).to_owned(), Value::from(*why))).collect::<serde_json::Map<_, _>>().into()
    };
    let types = gpu.memory.types.iter().map(
        |(index, flags, is_reduced)| json!({ "index": index, "flags": flags, "withheld_from_guests": is_reduced }),
    );
    json!({
        "name": gpu.name,
        "uuid": gpu.uuid,
        "driver": gpu.driver,
        "driver_version": gpu.driver_version,
        "guest_version": gpu.guest_version,
        "software": gpu.is_software,
        "portability": gpu.is_portability,
        "hidden_because": gpu.hidden_because,
        "memory": {
            "ways": gpu.memory.ways.iter().map(|(way, types)| json!({ "way": way, "types": types })).collect::<Vec<_>>(),
            "types": types.collect::<Vec<_>>(),
            "failures": gpu.memory.failures.iter().map(|(way, why)| json!({ "way": way, "reason": why })).collect::<Vec<_>>(),
            "for_monitors": gpu.memory.for_monitors.iter().map(|(way, outcome)| match outcome {
                Ok(types) => json!({ "way": way, "types": types }),
                Err(why) => json!({ "way": way, "reason": why }),
            }).collect::<Vec<_>>(),
        },
        "sync_fd": { "native_fences": gpu.native_fences, "native_semaphores": gpu.native_semaphores },
        "over_a_socket": { "exports_dma_buf": gpu.memory.is_dma_buf, "imports_dma_buf": false, "sync_files": false },
        "queue_families": gpu.families.iter().map(|family| json!({
            "abilities": family.abilities,
            "queues": family.queues,
            "withheld": reasons(&family.withheld),
        })).collect::<Vec<_>>(),
        "sparse": match gpu.sparse {
            Sparse::Offered => json!({ "offered": true }),
            Sparse::Withheld(reason) => json!({ "offered": false, "withheld_because": reason }),
            _ => json!({ "offered": false }),
        },
        "extensions": {
            "offered": gpu.extensions.offered,
            "emulated": reasons(&gpu.extensions.emulated),
            "withheld": reasons(&gpu.extensions.withheld),
            "absent": gpu.extensions.absent,
            "since": gpu.extensions.since.iter().map(|(name, level)| (*name, level.number())).collect::<BTreeMap<_, _>>(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::System;

    #[test]
    fn a_failure_makes_a_host_unusable() {
        let mut gpu = Gpu::default();
        gpu.name = "Card".to_owned();
        let facts = Facts {
            system: System::default(),
            library: Err("none".to_owned()),
            gpus: Ok(vec![gpu]),
            wants_validation: false,
        };
        let judgement = |level| Judgement { check: "x", level, found: String::new(), meaning: "", fix: String::new() };
        let report = print(&facts, &[judgement(Level::Warning)]);
        assert_eq!(report["usable"], true);
        assert_eq!(report["gpus"][0]["name"], "Card");
        assert_eq!(report["library"], Value::Null);
        let report = print(&facts, &[judgement(Level::Fine), judgement(Level::Failure)]);
        assert_eq!((&report["usable"], &report["checks"][1]["level"]), (&false.into(), &"failure".into()));
    }
}
