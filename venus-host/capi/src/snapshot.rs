//! How what [`statistics`](crate::statistics) tells is made of the host's.

use std::ffi::CString;

use ::venus_host::endpoint::Statistics;

use crate::{
    sized::Versioned as _,
    statistics::{venus_heap_statistics, venus_statistics, venus_totals},
};

impl venus_statistics {
    pub(crate) fn new(statistics: Statistics) -> Self {
        let text = |text: &str| CString::new(text.replace('\0', "")).unwrap_or_default();
        let mut heaps = Vec::new();
        for gpu in &statistics.gpus {
            heaps.extend(gpu.heaps.iter().map(|heap| {
                let row = venus_heap_statistics {
                    bytes: heap.size,
                    budget: heap.budget.unwrap_or(u64::MAX),
                    usage: heap.usage.unwrap_or(u64::MAX),
                    is_device_local: heap.is_device_local.into(),
                    reserved: 0,
                    ..venus_heap_statistics::zeroed()
                };
                (text(&gpu.name), row)
            }));
        }
        Self {
            last_error: text(statistics.last_error.as_deref().unwrap_or_default()),
            commands: statistics.commands.iter().map(|row| text(row.name())).collect(),
            objects: statistics.objects.iter().map(|row| text(row.name())).collect(),
            heaps,
            statistics,
        }
    }

    pub(crate) fn totals(&self) -> venus_totals {
        let taken = &self.statistics;
        venus_totals {
            size: size_of::<venus_totals>(),
            executed: taken.executed,
            failures: taken.failures,
            findings: taken.findings,
            submissions: taken.submissions,
            allocations: taken.allocations,
            device_memory_bytes: taken.device_memory_bytes,
            blob_memory_bytes: taken.blob_memory_bytes,
            shared_memory_bytes: taken.shared_memory_bytes,
            commands: taken.commands.len(),
            objects: taken.objects.len(),
            rings: taken.rings.len(),
            heaps: self.heaps.len(),
            is_lost: taken.lost.is_some().into(),
            reserved: 0,
        }
    }
}
