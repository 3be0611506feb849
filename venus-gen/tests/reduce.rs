//! The reducer: what it keeps, what it drops, and how it says what is wrong.

use std::path::Path;

use venus_gen::reduce::{OLDEST_HEADER, outline, reduce};

/// An upstream registry in small: one of everything that the reducer treats in its own way.
const SMALL: &str = include_str!("fixtures/reduce/small.xml");
/// What is left of it, byte by byte.
const SMALL_REDUCED: &str = include_str!("fixtures/reduce/small.reduced.xml");
/// One of every mistake, on lines of their own.
const PROBLEMS: &str = include_str!("fixtures/reduce/problems.xml");

/// The problems as `line: element: message`.
fn problems(xml: &str) -> Vec<String> {
    let diagnostics = reduce("vk.xml", xml).expect_err("the registry has problems");
    for diagnostic in diagnostics.as_slice() {
        assert_eq!(diagnostic.at.file, "vk.xml");
        assert!(!diagnostic.help.is_empty(), "every problem says what to do: {diagnostic}");
    }
    diagnostics.as_slice().iter().map(|d| format!("{}: {}: {}", d.at.line, d.element, d.message)).collect()
}

#[test]
fn keeps_what_code_needs() {
    let reduced = reduce("vk.xml", SMALL).expect("reduces");
    assert_eq!(reduced, SMALL_REDUCED, "the reducer changed: look at the difference, then update the fixture");
}

#[test]
fn same_input_same_bytes() {
    assert_eq!(reduce("a.xml", SMALL), reduce("b.xml", SMALL));
}

#[test]
fn a_reduced_registry_stays_as_it_is() {
    assert_eq!(reduce("vk.xml", SMALL_REDUCED).as_deref(), Ok(SMALL_REDUCED));

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../registry/vk.xml");
    let checked_in = std::fs::read_to_string(path).expect("the registry is checked in");
    assert!(
        reduce("vk.xml", &checked_in).as_ref() == Ok(&checked_in),
        "registry/vk.xml is not what the importer writes"
    );
}

#[test]
fn line_ends_do_not_matter() {
    assert_eq!(reduce("vk.xml", &SMALL.replace('\n', "\r\n")).as_deref(), Ok(SMALL_REDUCED));
}

#[test]
fn drops_comments_and_vulkan_sc() {
    let reduced = reduce("vk.xml", SMALL).expect("reduces");
    for gone in
        ["comment", "<!--", "api=\"vulkansc\"", "vkCertifyThing", "VKSC_VERSION", "extension_384", "VkRefresh", "//"]
    {
        assert!(!reduced.contains(gone), "`{gone}` is still there");
    }
}

#[test]
fn keeps_aliases_of_unlisted_vendors() {
    let reduced = reduce("vk.xml", SMALL).expect("reduces");
    assert!(reduced.contains("<command name=\"vkCmdDrawThingAMD\" alias=\"vkCmdDrawThing\"/>"));
}

#[test]
fn keeps_the_order_of_types() {
    let reduced = reduce("vk.xml", SMALL).expect("reduces");
    assert!(reduced.find("VkZebra") < reduced.find("VkAnt"));
}

#[test]
fn outline_names_what_is_declared() {
    let outline = outline("vk.xml", SMALL).expect("well formed");
    assert_eq!(outline.version.expect("stated").to_string(), "1.4.309");
    assert_eq!(Vec::from_iter(&outline.commands), ["vkCmdDrawThing", "vkCmdDrawThingAMD"]);
    assert_eq!(Vec::from_iter(&outline.extensions), ["VK_AMD_draw_thing"]);
    assert!(outline.types.contains("VkThing") && outline.types.contains("PFN_vkNewerThing"));
}

#[test]
fn all_problems_in_one_run() {
    let expected = [
        &format!("0: types/type VK_HEADER_VERSION: the registry is version 1.3.200, older than {OLDEST_HEADER}"),
        "7: types/type VkThingInfo/member: a declaration with 0 `<name>` elements",
        "8: types/type VkThingInfo/member size/footnote: the registry schema has no `<footnote>` in `<member>`",
        "10: types/type VkThingInfo: text in `<type>`, which holds only elements: `stray`",
        "12: types/type VkTensor: types of the category `tensor` are not known",
        "13: types/type: a type without a name",
        "18: commands/command: a command without a `<proto>` that is no alias either",
        "19: commands/command: an alias without a `name` attribute",
        "22: extensions/extension VK_KHR_thing: `<extension>` has no `number` attribute",
        "23: extensions/extension VK_KHR_thing/require/shader spirv: the registry schema has no `<shader>` in `<require>`",
        "26: novelties: the registry schema has no `<novelties>` in `<registry>`",
    ];
    assert_eq!(problems(PROBLEMS), expected);
}

#[test]
fn broken_xml_is_reported_where_it_breaks() {
    let line = 1 + SMALL.lines().position(|line| line.contains("</enums>")).expect("in the fixture");
    let problems = problems(&SMALL.replacen("</enums>", "</enmus>", 1));
    assert_eq!(problems.len(), 1, "nothing after it can be trusted: {problems:?}");
    assert!(problems[0].starts_with(&format!("{line}: enums: not well-formed XML: ")), "{problems:?}");
    assert!(problems[0].contains("enmus"), "{problems:?}");
}

#[test]
fn every_prefix_is_refused() {
    // None of them panics, and each names a line that exists.
    let end = SMALL.trim_end().len();
    let lines = u32::try_from(SMALL.lines().count()).expect("a small fixture");
    for cut in (0..end).filter(|&cut| SMALL.is_char_boundary(cut)) {
        let diagnostics = reduce("vk.xml", &SMALL[..cut]).expect_err("a cut registry is broken");
        assert!(diagnostics.as_slice().iter().all(|d| (1..=lines).contains(&d.at.line)), "cut at {cut}: {diagnostics}");
    }
}

#[test]
fn a_registry_without_a_version_is_refused() {
    let problems = problems("<registry/>");
    assert_eq!(problems, ["0: types/type VK_HEADER_VERSION: the registry does not state its version"]);
}

#[test]
fn another_document_is_refused() {
    let problems = problems("<html/>");
    assert!(
        problems.contains(&"1: registry: the root element is `<html>`, not `<registry>`".to_owned()),
        "{problems:?}"
    );
}
