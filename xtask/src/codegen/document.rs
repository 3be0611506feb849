//! `docs/generated-code.md`: for each construct of the registry, its XML beside the Rust that is made of it.
//!
//! The document quotes the registry and the generated files, so it cannot say anything that is not so. What is quoted
//! is listed here; a quotation that no longer exists is an error, so that the list follows the generator.

use anyhow::Context as _;
use venus_gen::{Inputs, OutputFile};

/// One construct: a heading, what to know about it, and what to show.
struct Section {
    heading: &'static str,
    text: &'static str,
    quotes: &'static [Quote],
}

/// Something to show.
enum Quote {
    /// An element of `vk.xml`, by its tag and name.
    Vk(&'static str, &'static str),
    /// An element of `venus.xml`, by a text of its start tag.
    Venus(&'static str),
    /// An item of a generated file, by the file and what the item starts with.
    Rust(&'static str, &'static str),
    /// One line of a generated file and the documentation in front of it, by the file and what the line contains.
    Line(&'static str, &'static str),
}

use Quote::{Line, Rust, Venus, Vk};

const INTRODUCTION: &str = "\
# What becomes of the registry

Each section shows a construct of the registry and the Rust that `cargo xtask codegen` makes of it. All of it is quoted
from `registry/` and `venus-protocol/src/generated/` by the same command, and `cargo xtask codegen --check` compares, so
what is here is what is there. The rules behind it are in `venus-gen/src/resolve/` and `venus-gen/src/lower/`; the
functions it calls, on `Decoder` and `Encoder`, are in `venus-protocol/src/wire/`.

Where to look for something that is named `vkXyz` or `VkXyz`:

| what | where |
|---|---|
| arguments and reply of a command | `args/<family>.rs`: `XyzArgs`, which implements `wire::Command`, and `XyzReply`, which implements `wire::Reply` |
| a structure or union | `decode/<family>.rs`, `encode/<family>.rs`: `decode_xyz`, `encode_xyz` |
| what may follow a structure | `chains.rs` |
| a command's number | `commands.rs` |
| the method that handles a command | `dispatch.rs` |
| a driver's entry point, and its arguments | `procs.rs`, `calls.rs` |
| types that ash lacks, and where their members lie | `types.rs`, `layouts.rs` |
| the members of a command or structure, as data | `reflect/<family>.rs` |
| the names of values | `reflect/enums.rs`, `reflect/flags.rs`, `reflect/structure_type.rs` |
";

const SECTIONS: &[Section] = &[
    Section {
        heading: "A plain structure",
        text: "Its members, one after the other. What it is made of decides how each is read.",
        quotes: &[
            Vk("type", "VkBufferCopy"),
            Rust("decode/command_buffer.rs", "pub fn decode_buffer_copy("),
            Rust("encode/command_buffer.rs", "pub fn encode_buffer_copy("),
        ],
    },
    Section {
        heading: "A structure that heads a chain",
        text: "`sType`, then the chain, then the members. Where the structure may follow in a chain itself, the members \
               are a function of their own, the body, because in a chain all headers come before the first body. An \
               array is read with the length that its count member gave. The rule below is why a guest's encoder looks \
               before it follows a pointer.",
        quotes: &[
            Vk("type", "VkBufferCreateInfo"),
            Venus("struct=\"VkBufferCreateInfo\""),
            Rust("decode/buffer.rs", "pub fn decode_buffer_create_info<"),
            Rust("encode/buffer.rs", "pub fn encode_buffer_create_info("),
        ],
    },
    Section {
        heading: "A structure that follows in chains",
        text: "`structextends` puts it into the table of its root. Its own row says what must be announced before a \
               guest may send it, and names its bodies.",
        quotes: &[
            Vk("type", "VkExternalMemoryBufferCreateInfo"),
            Line("chains.rs", "    BUFFER_CREATE_INFO ="),
            Line("nodes.rs", "    NODE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO ="),
        ],
    },
    Section {
        heading: "An output structure",
        text: "A request carries it in partial form: only what the host needs to know to fill it, here nothing but that \
               it is wanted. The reply carries it in full.",
        quotes: &[
            Vk("type", "VkMemoryRequirements"),
            Rust("decode/buffer.rs", "pub fn decode_memory_requirements("),
            Vk("command", "vkGetBufferMemoryRequirements"),
            Rust("args/buffer.rs", "impl<'a> Command<'a> for GetBufferMemoryRequirementsArgs<"),
        ],
    },
    Section {
        heading: "A union that a member selects",
        text: "The tag is the selector's value.",
        quotes: &[
            Vk("type", "VkAccelerationStructureGeometryDataKHR"),
            Rust("decode/command_buffer.rs", "pub fn decode_acceleration_structure_geometry_data_khr<"),
        ],
    },
    Section {
        heading: "A union that nothing selects",
        text: "It travels as the member that a rule names. A decoder accepts the others, too.",
        quotes: &[
            Vk("type", "VkClearColorValue"),
            Venus("union=\"VkClearColorValue\""),
            Rust("encode/command_buffer.rs", "pub fn encode_clear_color_value("),
            Rust("decode/command_buffer.rs", "pub fn decode_clear_color_value("),
        ],
    },
    Section {
        heading: "A command",
        text: "The arguments are a struct whose fields borrow from the decoded bytes. `pAllocator` has no field: it can \
               only be null. The id of the buffer is the guest's choice; the host fills in the driver's handle. The last \
               rows are what the driver's entry point is called with, its names, and the method that handles the command.",
        quotes: &[
            Vk("command", "vkCreateBuffer"),
            Rust("args/buffer.rs", "pub struct CreateBufferArgs<"),
            Rust("args/buffer.rs", "impl<'a> Command<'a> for CreateBufferArgs<"),
            Rust("args/buffer.rs", "pub struct CreateBufferReply"),
            Rust("args/buffer.rs", "impl Reply<'_> for CreateBufferReply"),
            Line("calls.rs", "    CreateBufferArgs<"),
            Line("procs.rs", "    create_buffer: "),
            Line("dispatch.rs", "    fn create_buffer("),
        ],
    },
    Section {
        heading: "A command without outputs",
        text: "Its reply is the command's number and what it returned, which `returns!` says.",
        quotes: &[Vk("command", "vkCmdDraw"), Rust("args/command_draw.rs", "impl Command<'_> for CmdDrawArgs")],
    },
    Section {
        heading: "The two-call idiom",
        text: "The count goes both ways: with the request as the room there is, with the reply as what there was. An \
               array of outputs is sent as a count alone, and comes back as long as the driver made it.",
        quotes: &[
            Vk("command", "vkGetPhysicalDeviceQueueFamilyProperties"),
            Rust("args/physical_device.rs", "impl<'a> Command<'a> for GetPhysicalDeviceQueueFamilyPropertiesArgs<"),
        ],
    },
    Section {
        heading: "Untyped bytes",
        text: "Input bytes stay where they are in the stream. Of output bytes the request carries the count.",
        quotes: &[
            Vk("command", "vkCmdUpdateBuffer"),
            Rust("args/command_transfer.rs", "impl<'a> Command<'a> for CmdUpdateBufferArgs<"),
            Vk("command", "vkGetQueryPoolResults"),
            Rust("args/query_pool.rs", "impl<'a> Command<'a> for GetQueryPoolResultsArgs<"),
        ],
    },
    Section {
        heading: "An array of arrays",
        text: "The registry gives the length of the outer array. The rule adds that of each row.",
        quotes: &[
            Vk("command", "vkCmdBuildAccelerationStructuresKHR"),
            Venus("param=\"ppBuildRangeInfos\""),
            Rust("args/command_transfer.rs", "impl<'a> Command<'a> for CmdBuildAccelerationStructuresKHRArgs<"),
        ],
    },
    Section {
        heading: "An array with a stride",
        text: "It travels without gaps, and a guest's encoder says so in the stride. The driver is told what is so, not \
               what the guest claimed.",
        quotes: &[
            Vk("command", "vkCmdDrawMultiEXT"),
            Rust("args/command_draw.rs", "impl<'a> Command<'a> for CmdDrawMultiEXTArgs<"),
            Line("calls.rs", "    CmdDrawMultiEXTArgs<"),
        ],
    },
    Section {
        heading: "Another name for a command",
        text: "An alias is a constant, an entry in the table of entry points, and a name for everything else.",
        quotes: &[
            Venus("name=\"vkTrimCommandPool\""),
            Line("commands.rs", "pub const TRIM_COMMAND_POOL:"),
            Line("commands.rs", "pub const TRIM_COMMAND_POOL_KHR:"),
            Line("procs.rs", "    trim_command_pool: "),
            Rust("args/command_pool.rs", "pub use self::TrimCommandPoolArgs as"),
        ],
    },
    Section {
        heading: "A command that never travels",
        text: "It keeps its number, and the reason is part of its documentation.",
        quotes: &[Vk("command", "vkMapMemory"), Line("commands.rs", "pub const MAP_MEMORY:")],
    },
    Section {
        heading: "A command, a structure and names of values as data",
        text: "Nothing on the way of a command reads these tables. Errors, printers and tests follow bytes by them. An \
               enum has all values of the registry, also those of extensions that the protocol does not list; of the \
               names of a value only the one that is no alias. A bitmask has those of its bits.",
        quotes: &[
            Rust("reflect/event.rs", "pub(crate) static EVENT_CREATE_INFO:"),
            Rust("reflect/event.rs", "pub(crate) static EVENT_COMMANDS:"),
            Venus("name=\"VkRingStatusFlagBitsMESA\" type=\"bitmask\""),
            Rust("reflect/flags.rs", "pub(crate) static RING_STATUS_FLAG_BITS_MESA:"),
            Rust("reflect/flags.rs", "pub(crate) static RING_STATUS_FLAGS_MESA:"),
        ],
    },
    Section {
        heading: "A type that ash does not have",
        text: "It is declared as ash would, and its layout is asserted.",
        quotes: &[
            Venus("name=\"VkRingPriorityInfoMESA\""),
            Rust("types.rs", "pub struct RingPriorityInfoMESA<"),
            Rust("types.rs", "impl Default for RingPriorityInfoMESA<"),
            Line("types.rs", "    RingPriorityInfoMESA = "),
            Rust("layouts.rs", "const _: () = {\n    assert!(offset_of!(RingPriorityInfoMESA,"),
        ],
    },
];

/// Writes the document.
///
/// # Errors
///
/// A quotation that the registry or the generated files do not contain.
pub(super) fn write(inputs: &Inputs, files: &[OutputFile]) -> anyhow::Result<String> {
    let mut out = INTRODUCTION.to_owned();
    for section in SECTIONS {
        out.push_str(&format!("\n## {}\n\n{}\n", section.heading, wrap(section.text)));
        let (mut language, mut source) = ("", String::new());
        for quote in section.quotes {
            let (its_language, its_source, text) = resolve(quote, inputs, files)
                .with_context(|| format!("docs/generated-code.md, section {:?}", section.heading))?;
            // Quotations of one file share a block.
            if (language, &source) == (its_language, &its_source) {
                out.truncate(out.len() - "```\n".len());
                out.push_str(if its_language == "rust" { "\n" } else { "" });
            } else {
                out.push_str(&format!("\n`{its_source}`\n\n```{its_language}\n"));
            }
            (language, source) = (its_language, its_source);
            out.push_str(&format!("{text}\n```\n"));
        }
    }
    Ok(out)
}

fn resolve(quote: &Quote, inputs: &Inputs, files: &[OutputFile]) -> anyhow::Result<(&'static str, String, String)> {
    let generated = |path: &str| {
        let file = files.iter().find(|file| file.path == path);
        file.map(|file| file.text.as_str()).with_context(|| format!("{path} is not generated"))
    };
    match quote {
        Vk(tag, name) => {
            let text = element(&inputs.vk_xml.1, |first, second| declares(first, second, tag, name));
            Ok(("xml", inputs.vk_xml.0.clone(), text.with_context(|| format!("no <{tag}> {name} in vk.xml"))?))
        }
        Venus(start) => {
            let text = element(&inputs.venus_xml.1, |first, _| first.starts_with('<') && first.contains(start));
            Ok(("xml", inputs.venus_xml.0.clone(), text.with_context(|| format!("nothing with {start} in venus.xml"))?))
        }
        Rust(path, start) => {
            let text = item(generated(path)?, start).with_context(|| format!("no item {start:?} in {path}"))?;
            Ok(("rust", format!("generated/{path}"), text))
        }
        Line(path, part) => {
            let text = line(generated(path)?, part).with_context(|| format!("no line {part:?} in {path}"))?;
            Ok(("rust", format!("generated/{path}"), text))
        }
    }
}

/// The first element that is wanted by its first two lines, without its indentation.
fn element(document: &str, wanted: impl Fn(&str, &str) -> bool) -> Option<String> {
    let lines: Vec<&str> = document.lines().collect();
    let second = |index: usize| lines.get(index + 1).copied().unwrap_or_default();
    let first = (0..lines.len()).find(|index| wanted(lines[*index].trim_start(), second(*index)))?;
    let start = lines[first].trim_start();
    let indent = &lines[first][..lines[first].len() - start.len()];
    let tag = start.trim_start_matches('<').split([' ', '>', '/']).next().unwrap_or_default();
    let end = format!("{indent}</{tag}>");
    let on_one_line = start.ends_with("/>") || start.ends_with(&format!("</{tag}>"));
    let more = if on_one_line { 0 } else { lines[first..].iter().position(|line| *line == end)? };
    let quoted = lines[first..=first + more].iter().map(|line| line.strip_prefix(indent).unwrap_or(line));
    Some(quoted.collect::<Vec<_>>().join("\n"))
}

/// Whether an element declares `name`, by an attribute or, for a command, by its prototype.
fn declares(first: &str, second: &str, tag: &str, name: &str) -> bool {
    let by_prototype = || second.contains(&format!("<name>{name}</name></proto>"));
    first.starts_with(&format!("<{tag}"))
        && !first.contains(" alias=")
        && (first.contains("category") || tag == "command")
        && (first.contains(&format!(" name=\"{name}\"")) || by_prototype())
}

/// An item with its documentation and attributes: from a line at the margin to the line that closes it.
fn item(file: &str, start: &str) -> Option<String> {
    let at = file.find(&format!("\n{start}"))? + 1;
    let lines: Vec<&str> = file.lines().collect();
    let first = file[..at].matches('\n').count();
    let is_attached = |line: &str| line.starts_with("///") || line.starts_with("#[");
    let attached = lines.get(..first)?.iter().rev().take_while(|line| is_attached(line)).count();
    let closes = |line: &str| !line.starts_with(' ') && (line.ends_with('}') || line.ends_with(';'));
    let length = lines.get(first..)?.iter().position(|line| closes(line))?;
    Some(lines.get(first - attached..=first + length)?.join("\n"))
}

/// The line with `part`, the documentation in front of it, and the lines that continue it.
fn line(file: &str, part: &str) -> Option<String> {
    let lines: Vec<&str> = file.lines().collect();
    let first = lines.iter().position(|line| line.contains(part))?;
    let attached = lines.get(..first)?.iter().rev().take_while(|line| line.trim_start().starts_with("///")).count();
    let length = lines.get(first..)?.iter().position(|line| line.ends_with(';'))?;
    let quoted = lines.get(first - attached..=first + length)?;
    let quoted: Vec<&str> = quoted.iter().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
    Some(quoted.join("\n"))
}

/// Breaks a paragraph into lines of at most 120 characters.
fn wrap(text: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        if width + 1 + word.len() > 120 {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += word.len();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{declares, element, item, line, wrap};

    #[test]
    fn elements_are_found_by_name() {
        let xml = "<a>\n  <type category=\"struct\" name=\"VkA\" alias=\"VkB\"/>\n  <type category=\"struct\" name=\"VkA\">\n    \
                   <member><type>x</type></member>\n  </type>\n  <command>\n    <proto><name>vkC</name></proto>\n  </command>\n</a>\n";
        let expected = "<type category=\"struct\" name=\"VkA\">\n  <member><type>x</type></member>\n</type>";
        assert_eq!(element(xml, |first, second| declares(first, second, "type", "VkA")).as_deref(), Some(expected));
        let expected = "<command>\n  <proto><name>vkC</name></proto>\n</command>";
        assert_eq!(element(xml, |first, second| declares(first, second, "command", "vkC")).as_deref(), Some(expected));
        assert_eq!(element(xml, |first, second| declares(first, second, "type", "VkD")), None);
    }

    #[test]
    fn items_come_with_their_documentation() {
        let rust = "use x;\n\n/// A.\n#[b]\npub fn a(\n    x: u32,\n) -> u32 {\n    x\n}\n\nmany!(\n    A, B\n);\n";
        assert_eq!(
            item(rust, "pub fn a(").as_deref(),
            Some("/// A.\n#[b]\npub fn a(\n    x: u32,\n) -> u32 {\n    x\n}")
        );
        assert_eq!(item(rust, "many!(\n    A,").as_deref(), Some("many!(\n    A, B\n);"));
        assert_eq!(item(rust, "pub fn b("), None);
    }

    #[test]
    fn lines_come_with_what_continues_them() {
        let rust = "impl X {\n    /// A.\n    const A: u32 =\n        1;\n    const B: u32 = 2;\n}\n";
        assert_eq!(line(rust, "const A:").as_deref(), Some("/// A.\nconst A: u32 =\n    1;"));
        assert_eq!(line(rust, "const B:").as_deref(), Some("const B: u32 = 2;"));
    }

    #[test]
    fn paragraphs_are_wrapped() {
        let text = wrap(&"word ".repeat(40));
        assert!(text.lines().all(|line| line.len() <= 120) && text.lines().count() == 2, "{text}");
    }
}
