//! What each command is made of, as far as rules of Vulkan apply to it: `tests/validation/reach.tsv`, from which
//! `cargo xtask commands` makes the ledger of what is checked (`docs/validation.md`).

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use venus_protocol::reflect::{self, Item, MemberRow, Shape, StructRow};

/// Names a file to write instead of comparing with the one in the repository.
const WRITE: &str = "VENUS_REACH_OUT";

/// How many members of each kind a command has, with all structures that it can bring along, each counted once.
#[derive(Default)]
struct Reach {
    handles: u32,
    arrays: u32,
    optional: u32,
    pointers: u32,
    strings: u32,
    unions: u32,
    chains: u32,
    enums: u32,
    structures: BTreeMap<&'static str, &'static StructRow>,
}

impl Reach {
    fn add(&mut self, member: &'static MemberRow) {
        match member.shape {
            Shape::Array(_) | Shape::Rows(_) | Shape::Blob(_) | Shape::Strings(_) if member.nullable => {
                self.optional += 1;
            }
            Shape::Array(_) | Shape::Rows(_) | Shape::Blob(_) | Shape::Strings(_) => self.arrays += 1,
            Shape::Pointer => self.pointers += 1,
            Shape::String => self.strings += 1,
            Shape::Value | Shape::Fixed(_) | Shape::Chars(_) | Shape::Null => {}
        }
        match member.item {
            Item::Handle(_) => self.handles += 1,
            Item::Enum(_) => self.enums += 1,
            Item::Struct(structure) => self.add_structure(structure),
            Item::Union(union) => {
                self.unions += 1;
                union.members.iter().for_each(|(_, member)| self.add(member));
            }
            Item::Scalar(_) | Item::Char | Item::Byte | Item::Opaque => {}
        }
    }

    fn add_structure(&mut self, structure: &'static StructRow) {
        if self.structures.insert(structure.name, structure).is_some() {
            return;
        }
        structure.members.iter().for_each(|member| self.add(member));
        let mut children = structure.children().peekable();
        self.chains += u32::from(children.peek().is_some());
        children.for_each(|child| self.add_structure(child));
    }
}

/// The table.
fn table() -> String {
    let mut text =
        "command\thandles\tarrays\toptional\tpointers\tstrings\tunions\tchains\tenums\tstructures\n".to_owned();
    for row in reflect::commands() {
        let mut reach = Reach::default();
        row.params.iter().for_each(|param| reach.add(param));
        let Reach { handles, arrays, optional, pointers, strings, unions, chains, enums, structures } = &reach;
        let names: Vec<_> = structures.keys().copied().collect();
        let (name, names) = (row.command.name(), names.join(" "));
        let counts = format!("{handles}\t{arrays}\t{optional}\t{pointers}\t{strings}\t{unions}\t{chains}\t{enums}");
        writeln!(text, "{name}\t{counts}\t{names}").expect("writing to a string");
    }
    text
}

#[test]
fn every_command_reaches_what_the_ledger_says() {
    let table = table();
    if let Some(path) = std::env::var_os(WRITE) {
        fs::write(path, table).expect("the file can be written");
        return;
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/validation/reach.tsv");
    let known = fs::read_to_string(path).unwrap_or_default();
    let changed: Vec<_> = table.lines().filter(|line| !known.lines().any(|other| other == *line)).collect();
    assert_eq!(changed, [""; 0], "what commands are made of has changed; run `cargo xtask commands --record`");
    assert_eq!(table.lines().count(), known.lines().count());
}
