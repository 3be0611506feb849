//! The report for people.

use std::fmt::Write as _;

use venus_host::{
    driver::{
        self,
        survey::{Gpu, Sparse},
    },
    sandbox,
};

use super::{
    checks::{Judgement, Level, plural},
    facts::Facts,
};

/// Widest line of a list of names.
const LINE_WIDTH: usize = 100;

/// Appends one line. Writing to a string does not fail.
macro_rules! line {
    ($text:expr, $($arg:tt)*) => {{ let _ = writeln!($text, $($arg)*); }};
}

pub(super) fn print(facts: &Facts, judgements: &[Judgement]) -> String {
    let mut text = String::new();
    if let Ok(library) = &facts.library {
        line!(text, "Vulkan library  {}, version {}\n", library.path, library.version);
    }
    for (index, gpu) in facts.gpus.iter().flatten().enumerate() {
        line!(text, "GPU {index}: {}", gpu.name);
        print_gpu(gpu, &mut text);
        line!(text, "");
    }
    print_sandbox(&mut text);
    line!(text, "Checks");
    for judgement in judgements {
        line!(text, "  {:<8} {}: {}", judgement.level.name(), judgement.check, judgement.found);
        for (heading, words) in [("means", judgement.meaning), ("fix", &judgement.fix)] {
            if !words.is_empty() {
                line!(text, "           {heading:<6} {words}");
            }
        }
    }
    let count = |level| judgements.iter().filter(|judgement| judgement.level == level).count();
    line!(text, "\n{}, {}", plural(count(Level::Failure), "failure"), plural(count(Level::Warning), "warning"));
    text
}

/// What a guest's process keeps, and for which drivers.
fn print_sandbox(text: &mut String) {
    let families = sandbox::families();
    if families.is_empty() {
        return;
    }
    line!(
        text,
        "Sandbox: files that a guest's process keeps (on, strict), and all system calls that it keeps (strict)"
    );
    for (family, reasons) in families {
        for (index, reason) in reasons.iter().enumerate() {
            line!(text, "  {:<13} {reason}", if index == 0 { family } else { "" });
        }
    }
    line!(text, "");
}

fn print_gpu(gpu: &Gpu, text: &mut String) {
    line!(text, "  UUID          {}", gpu.uuid);
    line!(text, "  driver        {}, Vulkan {}", gpu.driver, gpu.driver_version);
    line!(text, "  guests see    Vulkan {} at most", gpu.guest_version);
    print_memory(gpu, text);
    let word = |native| if native { "the driver's" } else { "emulated" };
    line!(text, "  SYNC_FD       fences {}, semaphores {}", word(gpu.native_fences), word(gpu.native_semaphores));
    line!(text, "  over a socket {}", over_a_socket(gpu));
    print_queues(gpu, text);
    match gpu.sparse {
        Sparse::Offered => line!(text, "  sparse        guests can bind memory sparsely"),
        Sparse::Withheld(reason) => line!(text, "  sparse        withheld: {reason}"),
        _ => line!(text, "  sparse        not in the driver"),
    }
    print_extensions(gpu, text);
    match &gpu.hidden_because {
        None => line!(text, "  verdict       guests can use it"),
        Some(reason) => line!(text, "  verdict       hidden from guests: {reason}"),
    }
}

fn print_queues(gpu: &Gpu, text: &mut String) {
    for (index, family) in gpu.families.iter().enumerate() {
        let heading = if index == 0 { "queues" } else { "" };
        line!(
            text,
            "  {heading:<13} family {index}: {} for {}",
            plural(family.queues.try_into().unwrap_or(usize::MAX), "queue"),
            family.abilities
        );
        for (what, reason) in &family.withheld {
            line!(text, "                withheld {what}: {reason}");
        }
    }
}

/// What guests at a socket can do with memory and fences beyond using them.
fn over_a_socket(gpu: &Gpu) -> &'static str {
    match gpu.memory.is_dma_buf {
        true => "guests can hand memory on as dma-buf; Mesa imports neither dma-bufs nor sync files there",
        false => "guests cannot hand memory on as dma-buf; Mesa imports neither dma-bufs nor sync files there",
    }
}

fn print_memory(gpu: &Gpu, text: &mut String) {
    let memory = &gpu.memory;
    if memory.ways.is_empty() {
        line!(text, "  memory        no way to share it");
    }
    for (nth, (way, types)) in memory.ways.iter().enumerate() {
        let heading = if nth == 0 { "memory" } else { "" };
        line!(text, "  {heading:<12}  {way}, types {types}");
    }
    for (way, reason) in &memory.failures {
        line!(text, "                no {way}: {reason}");
    }
    match &memory.seen {
        None => {}
        Some(Ok(seen)) => {
            line!(text, "                the GPU's writes reach a second mapping, as a guest has it ({seen} types)")
        }
        Some(Err(reason)) => line!(text, "                warning: {reason}"),
    }
    for (way, outcome) in &memory.for_monitors {
        match outcome {
            Ok(types) => line!(text, "                a virtual machine monitor may have {way}, types {types}"),
            Err(reason) => line!(text, "                no {way} for a virtual machine monitor: {reason}"),
        }
    }
    for (index, flags, is_reduced) in &memory.types {
        let note = if *is_reduced { " (mappable in the driver, but cannot be shared)" } else { "" };
        line!(text, "                type {index}: {flags}{note}");
    }
}

fn print_extensions(gpu: &Gpu, text: &mut String) {
    let found = &gpu.extensions;
    let (offered, absent) = (&found.offered, &found.absent);
    line!(text, "  extensions    {} offered as the driver has them, {} not in the driver", offered.len(), absent.len());
    for (name, how) in &found.emulated {
        line!(text, "    emulated  {name}: {how}");
    }
    for (name, reason) in &found.withheld {
        line!(text, "    withheld  {name}: {reason}");
    }
    list(text, "offered", offered);
    for level in driver::Level::ALL {
        let later: Vec<_> = found.since.iter().filter(|(_, since)| since == level).map(|(name, _)| *name).collect();
        list(text, &format!("since {level}"), &later);
    }
    list(text, "absent", absent);
}

/// A heading and names, several to a line.
fn list(text: &mut String, heading: &str, names: &[&str]) {
    let mut current = format!("    {heading:<9} ");
    let indent = current.len();
    for name in names {
        if current.len() > indent && current.len() + 1 + name.len() > LINE_WIDTH {
            line!(text, "{current}");
            current = " ".repeat(indent);
        }
        current.push(' ');
        current.push_str(name.strip_prefix("VK_").unwrap_or(name));
    }
    if !names.is_empty() {
        line!(text, "{current}");
    }
}

#[cfg(test)]
mod tests {
    use venus_host::driver::survey::{Family, Library};

    use super::*;
    use crate::doctor::facts::System;

    #[test]
    fn names_are_listed_several_to_a_line() {
        let names: Vec<String> = (0..20).map(|n| format!("VK_EXT_something_{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut text = String::new();
        list(&mut text, "offered", &names);
        assert!(text.lines().count() > 3);
        assert!(text.lines().all(|line| line.len() <= LINE_WIDTH), "{text}");
        assert!(text.starts_with("    offered    EXT_something_0 EXT_something_1"), "{text}");
        // The longest heading moves no names.
        let place = text.find("EXT_");
        text.clear();
        list(&mut text, "since 448", &names);
        assert_eq!(text.find("EXT_"), place);
    }

    #[test]
    fn memory_says_what_else_there_is_and_why_not() {
        let mut gpu = Gpu::default();
        gpu.memory.ways =
            vec![("imported memory".to_owned(), "2, 3".to_owned()), ("shared pointers".to_owned(), "4".to_owned())];
        gpu.memory.failures = vec![("dma-buf export".to_owned(), "not today".to_owned())];
        gpu.memory.for_monitors = vec![
            ("opaque descriptors".to_owned(), Ok("2, 3".to_owned())),
            ("shared pointers".to_owned(), Err("too odd".to_owned())),
        ];
        let mut text = String::new();
        print_memory(&gpu, &mut text);
        let lines: Vec<_> = text.lines().map(str::trim_start).collect();
        assert_eq!(
            lines,
            [
                "memory        imported memory, types 2, 3",
                "shared pointers, types 4",
                "no dma-buf export: not today",
                "a virtual machine monitor may have opaque descriptors, types 2, 3",
                "no shared pointers for a virtual machine monitor: too odd",
            ]
        );
    }

    #[test]
    fn queues_say_what_they_can_do_and_what_is_withheld() {
        let mut gpu = Gpu::default();
        let family = |abilities: &str, queues, withheld: &[(&'static str, &'static str)]| {
            let mut family = Family::default();
            (family.abilities, family.queues, family.withheld) = (abilities.to_owned(), queues, withheld.to_vec());
            family
        };
        gpu.families =
            vec![family("graphics, transfer", 16, &[]), family("transfer", 1, &[("timestamps", "not there")])];
        let mut text = String::new();
        print_queues(&gpu, &mut text);
        let expected = "  queues        family 0: 16 queues for graphics, transfer\n                \
                        family 1: 1 queue for transfer\n                withheld timestamps: not there\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_judgement_says_what_it_means_and_what_to_do() {
        let mut library = Library::default();
        (library.path, library.version) = ("lib".to_owned(), "1.4.0".to_owned());
        let facts =
            Facts { system: System::default(), library: Ok(library), gpus: Ok(Vec::new()), wants_validation: false };
        let judgement = |level, meaning, fix: &str| Judgement {
            check: "pages",
            level,
            found: "found".to_owned(),
            meaning,
            fix: fix.to_owned(),
        };
        let text = print(&facts, &[judgement(Level::Fine, "", ""), judgement(Level::Warning, "trouble", "mend it")]);
        let (head, checks) = text.split_once("Checks\n").unwrap();
        assert!(head.starts_with("Vulkan library  lib, version 1.4.0\n\n"), "{head}");
        assert_eq!(
            checks,
            "  ok       pages: found\n  warning  pages: found\n           \
             means  trouble\n           fix    mend it\n\n0 failures, 1 warning\n"
        );
    }
}
