//! What the generator says of a broken registry: every problem in one run, each with file, line, element and help.

mod common;

use common::Registry;

/// A core command with an alias, an extension's structure in a chain, and a private command.
const VK: &str = r#"<types>
<type category="handle"><type>VK_DEFINE_NON_DISPATCHABLE_HANDLE</type>(<name>VkFence</name>)</type>
<type category="struct" name="VkFenceCreateInfo">
<member values="VK_STRUCTURE_TYPE_FENCE_CREATE_INFO"><type>VkStructureType</type> <name>sType</name></member>
<member optional="true">const <type>void</type>* <name>pNext</name></member>
<member optional="true"><type>VkFlags</type> <name>flags</name></member>
</type>
</types>
<enums name="VkStructureType" type="enum">
<enum value="8" name="VK_STRUCTURE_TYPE_FENCE_CREATE_INFO"/>
</enums>
<commands>
<command name="vkCreateFenceKHR" alias="vkCreateFence"/>
<command>
<proto><type>VkResult</type> <name>vkCreateFence</name></proto>
<param><type>VkDevice</type> <name>device</name></param>
<param>const <type>VkFenceCreateInfo</type>* <name>pCreateInfo</name></param>
<param><type>VkFence</type>* <name>pFence</name></param>
</command>
</commands>
<feature api="vulkan" name="VK_VERSION_1_0" number="1.0">
<require><command name="vkCreateFence"/></require>
</feature>
"#;

const VENUS: &str = r#"<commands>
<command id="0" name="vkCreateFence">
<alias name="vkCreateFenceKHR"/>
</command>
</commands>
<rules>
</rules>
"#;

/// Problems under headings, for one snapshot.
#[derive(Default)]
struct Report(String);

impl Report {
    /// Replaces one text in each document and notes the problems. Lines count from the document's start, where the
    /// prelude of all fixtures stands.
    #[track_caller]
    fn of(mut self, heading: &str, vk: (&str, &str), venus: (&str, &str)) -> Self {
        assert!(VK.contains(vk.0) && VENUS.contains(venus.0), "the mutation of {heading:?} applies");
        let broken = Registry::from_parts(&VK.replacen(vk.0, vk.1, 1), &VENUS.replacen(venus.0, venus.1, 1));
        self.add(heading, &broken);
        self
    }

    fn add(&mut self, heading: &str, registry: &Registry) {
        let problems = registry.problems();
        for problem in &problems {
            assert!(problem.contains("\n    help: "), "every problem says what to do: {problem}");
        }
        self.0.push_str(&format!("# {heading}\n{}\n\n", problems.join("\n")));
    }

    fn check(self, name: &str) {
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("problems__{name}"), self.0);
        });
    }
}

const NONE: (&str, &str) = ("", "");

#[test]
fn a_sound_registry_has_no_problems() {
    assert_eq!(Registry::from_parts(VK, VENUS).problems(), [""; 0]);
}

#[test]
fn missing_and_surplus_commands() {
    let row = "<command id=\"0\" name=\"vkCreateFence\">\n<alias name=\"vkCreateFenceKHR\"/>\n</command>\n";
    let twice = "<command id=\"0\" name=\"vkCreateFence\"/>\n</commands>";
    let required = "<require><command name=\"vkCreateFence\"/></require>\n";
    Report::default()
        .of("selected, but without a number", NONE, (row, ""))
        .of("numbered, but not declared", NONE, ("</commands>", "<command id=\"7\" name=\"vkNovel\"/>\n</commands>"))
        .of("numbered, but not selected", (required, ""), NONE)
        .of("numbered by its alias", NONE, ("name=\"vkCreateFence\"", "name=\"vkCreateFenceKHR\""))
        .of("numbered twice", NONE, ("</commands>", twice))
        .of("for queues that nobody knows", ("<command>", "<command queues=\"compute,knitting\">"), NONE)
        .check("commands");
}

#[test]
fn missing_and_surplus_aliases() {
    let declared = "<command name=\"vkCreateFenceKHR\" alias=\"vkCreateFence\"/>\n";
    Report::default()
        .of("declared, but not listed", NONE, ("<alias name=\"vkCreateFenceKHR\"/>\n", ""))
        .of("listed, but not declared", (declared, ""), NONE)
        .of("an alias of nothing", ("alias=\"vkCreateFence\"", "alias=\"vkNovel\""), NONE)
        .check("aliases");
}

#[test]
fn unknown_constructs() {
    let value = "<enum value=\"8\" ";
    let wide = "<types>\n<type category=\"enum\" name=\"VkXFlagBits\"/>\n\
        <type category=\"bitmask\" requires=\"VkXFlagBits\">typedef <type>VkFlags</type> <name>VkXFlags</name>;</type>\n\
        </types>\n<enums name=\"VkXFlagBits\" type=\"bitmask\" bitwidth=\"64\"></enums>\n<rules>";
    let late = ("<param><type>VkFence</type>", "<param len=\"fenceCount\"><type>VkFence</type>");
    let twice = "<types>\n<type category=\"enum\" name=\"VkFence\"/>";
    Report::default()
        .of("sections", ("<commands>", "<novelties/>\n<commands>"), ("<rules>", "<novelties/>\n<rules>"))
        .of("rules", NONE, ("<rules>", "<rules>\n<novel-rule reason=\"r\"/>"))
        .of("a rule without a reason", NONE, ("<rules>", "<rules>\n<drop-type name=\"VkFence\"/>"))
        .of("categories", ("category=\"struct\"", "category=\"tensor\""), NONE)
        .of("elements in a declaration", ("<name>flags</name>", "<name>flags</name><footnote/>"), NONE)
        .of("C in front of a name", ("* <name>pFence</name>", "*% <name>pFence</name>"), NONE)
        .of("C behind a name", ("<name>flags</name>", "<name>flags</name> = 4"), NONE)
        .of("names", ("<name>flags</name>", "<name>fl-ags</name>"), NONE)
        .of("lengths", ("<param><type>VkFence</type>", "<param len=\"a % b\"><type>VkFence</type>"), NONE)
        .of("constants", ("<name>flags</name>", "<name>flags</name>[VK_NOVEL_SIZE]"), NONE)
        .of("structure types", (value, "<enum "), NONE)
        .of("values", ("</enums>", "<enum value=\"many\" name=\"VK_X\"/>\n</enums>"), NONE)
        .of("two names of one value", ("</enums>", "<enum value=\"8\" name=\"VK_X\"/>\n</enums>"), NONE)
        .of("bits that do not fit", NONE, ("<rules>", wide))
        .of("references", ("<require>", "<require><type name=\"VkNovel\"/>"), NONE)
        .of("numbers", NONE, ("id=\"0\"", "id=\"zero\""))
        .of("a length that comes too late", late, NONE)
        .of("two types of one name", ("<types>", twice), NONE)
        .check("constructs");
}

#[test]
fn rules_that_apply_to_nothing() {
    let rows = [
        "<drop-type name=\"VkNovel\" reason=\"r\"/>",
        "<block-command name=\"vkNovel\" reason=\"r\"/>",
        "<union-tag union=\"VkNovel\" member=\"a\" tag=\"0\" reason=\"r\"/>",
        "<guest-condition struct=\"VkFenceCreateInfo\" member=\"flags\" member-test=\"novel\" op=\"eq\" value=\"VK_X\" reason=\"r\"/>",
        "<in-out command=\"vkCreateFence\" param=\"pNovel\" reason=\"r\"/>",
        "<in-out command=\"vkCreateFence\" param=\"pCreateInfo\" reason=\"r\"/>",
        "<second-length command=\"vkCreateFence\" param=\"pNovel\" length=\"a\" reason=\"r\"/>",
        "<null-override command=\"vkCreateFence\" param=\"pNovel\" nullable=\"false\" reason=\"r\"/>",
        "<null-override command=\"vkCreateFence\" param=\"pFence\" nullable=\"false\" before=\"2\" reason=\"r\"/>",
        "<null-override struct=\"VkFenceCreateInfo\" member=\"flags\" nullable=\"perhaps\" reason=\"r\"/>",
        "<null-override command=\"vkCreateFence\" param=\"pFence\" items=\"true\" nullable=\"false\" reason=\"r\"/>",
        "<null-override struct=\"VkFenceCreateInfo\" member=\"flags\" items=\"true\" nullable=\"true\" reason=\"r\"/>",
    ];
    let rules = format!("<rules>\n{}", rows.join("\n"));
    Report::default().of("one of each, in one run", NONE, ("<rules>", &rules)).check("rules");
}

#[test]
fn levels_that_do_not_fit() {
    let row = "<command id=\"0\" name=\"vkCreateFence\"";
    let extension =
        "<extensions>\n<extension name=\"VK_KHR_x\" number=\"5\" spec=\"1\" since=\"3\"/>\n</extensions>\n<commands>";
    let commands = "<commands>\n<command id=\"1\" name=\"vkNextMESA\"/>";
    let next = "<private-commands>\n<command><proto><type>void</type> <name>vkNextMESA</name></proto></command>\n\
        </private-commands>\n<rules>";
    let declared = Registry::from_parts(VK, VENUS);
    let levels = declared.venus.replace("number=\"2\"", "number=\"1\"");
    let without = Registry { venus: declared.venus.replace("level ", "storey "), ..declared.clone() };
    let mut report = Report::default().of("named, and not declared", NONE, ("<commands>", extension)).of(
        "not there where its declaration is",
        NONE,
        (row, &format!("{row} since=\"2\"")),
    );
    let later = VENUS.replacen(row, &format!("{row} since=\"2\""), 1).replacen("<commands>", commands, 1);
    report.add("numbers out of their order", &Registry::from_parts(VK, &later.replacen("<rules>", next, 1)));
    report.add("twice the same", &Registry { venus: levels, ..declared });
    report.add("none", &without);
    report.check("levels");
}

#[test]
fn extensions_that_the_registry_does_not_have() {
    let extension =
        "<extensions>\n<extension name=\"VK_KHR_novel\" number=\"5\" supported=\"vulkan\"/>\n</extensions>\n";
    let listed = "<extensions>\n<extension name=\"VK_KHR_novel\" number=\"6\" spec=\"1\"/>\n\
        <extension name=\"VK_KHR_other\" number=\"7\" spec=\"1\"/>\n</extensions>\n<rules>";
    Report::default()
        .of("another number, and none", ("<feature", &format!("{extension}<feature")), ("<rules>", listed))
        .check("extensions");
}

#[test]
fn structures_that_contain_themselves() {
    let own = "<member><type>VkFlags</type> <name>count</name></member>\n\
        <member optional=\"true\" len=\"count\">const <type>VkFenceCreateInfo</type>* <name>pSelf</name></member>\n\
        </type>\n</types>";
    Report::default().of("behind a pointer", ("</type>\n</types>", own), NONE).check("recursion");
}

#[test]
fn drifted_counts() {
    let registry = Registry::from_parts(VK, VENUS);
    let venus = registry.venus.replace("structs=\"1\"", "structs=\"2\"").replace(" roots=\"0\"", " novel=\"0\"");
    let mut report = Report::default();
    report.add("two wrong, one missing, one unknown", &Registry { venus, ..registry });
    report.check("counts");
}

#[test]
fn unreadable_documents() {
    let mut report = Report::default();
    let broken = Registry { vk: "<registry>\n<types>\n".to_owned(), venus: "<html/>".to_owned() };
    report.add("both at once, and nothing that follows from it", &broken);
    report.check("documents");
}

/// Broken declarations leave the later stages with half a registry; they must get through it, and say what is wrong. Of
/// some lines nobody can say that they are missing: what is optional, and what only repeats a default.
#[test]
fn a_missing_line_is_told_unless_it_says_nothing_needed() {
    let sound = Registry::from_parts(VK, VENUS);
    let mut unnoticed = String::new();
    for (file, text) in [("vk.xml", &sound.vk), ("venus.xml", &sound.venus)] {
        for (skipped, line) in text.lines().enumerate() {
            let kept = text.lines().enumerate().filter(|(other, _)| *other != skipped).map(|(_, line)| line);
            let cut = kept.collect::<Vec<_>>().join("\n");
            let broken = match file {
                "vk.xml" => Registry { vk: cut, ..sound.clone() },
                _ => Registry { venus: cut, ..sound.clone() },
            };
            let problems = broken.problems();
            for problem in &problems {
                assert!(problem.contains("\n    help: "), "without {line:?}: {problem}");
            }
            if problems.is_empty() {
                assert!(!broken.describe().is_empty(), "without {line:?} there is no protocol");
                unnoticed.push_str(&format!("{file}: {line}\n"));
            }
        }
    }
    Report(unnoticed).check("unnoticed");
}

#[test]
fn ash_that_declares_otherwise() {
    let sound = "pub struct FenceCreateInfo<'a> { pub s_type: StructureType, pub p_next: *const c_void, pub flags: Flags, \
        pub _marker: PhantomData<&'a ()> }\npub struct Device(u64); pub struct Fence(u64); pub type Flags = u32;";
    let mut report = Report::default();
    for (heading, ash) in [
        ("another type", sound.replace("flags: Flags", "flags: u64")),
        ("another field", sound.replace("flags: Flags", "flags: Flags, pub more: u32")),
        ("no handle", sound.replace("pub struct Fence(u64);", "")),
        ("no Rust", "pub struct".to_owned()),
    ] {
        let mut inputs = Registry::from_parts(VK, VENUS).inputs();
        inputs.ash = vec![("ash/src/vk/definitions.rs".to_owned(), ash)];
        let problems = venus_gen::generate(&inputs).expect_err("ash does not fit");
        report.0.push_str(&format!("# {heading}\n{problems}\n\n"));
    }
    report.check("ash");
}
