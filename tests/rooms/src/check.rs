//! The plan against the sources: who names what may not be named, and whether the plan is that of this house at all.

use crate::plan::{Crate, Exception, Room};
use crate::sources::{Sources, Target};
use std::collections::{BTreeMap, BTreeSet};

/// What every room may use.
const EVERYWHERE: [&str; 3] = ["std", "core", "alloc"];
/// Among what tests may use: every room of the crate.
pub const ALL_ROOMS: &str = "*";

/// What was found in one crate.
#[derive(Debug, Default)]
pub struct Report {
    /// What is wrong, for a person.
    pub problems: Vec<String>,
    /// What each room uses outside of tests: rooms, and of other crates what its row names.
    pub used: BTreeMap<&'static str, BTreeSet<String>>,
}

/// Looks at every path of a crate.
pub fn check(krate: &Crate, exceptions: &[Exception], sources: &Sources) -> Report {
    let mut checker =
        Checker { krate, exceptions, report: Report::default(), edges: Edges::new(), needed: BTreeSet::new() };
    checker.plan(sources);
    for file in &sources.files {
        if krate.room_of(&file.module).is_none() {
            let problem = format!("{} belongs to no room: add one to xtask/src/tidy/plan", file.name);
            checker.report.problems.push(problem);
            continue;
        }
        let mut seen = BTreeSet::new();
        for named in &file.paths {
            let Some(from) = checker.room_of(&named.module) else { continue };
            let at = format!("{}:{}: {}", file.name, named.line, named.path.join("::"));
            let test = sources.is_for_tests(named);
            // A path may stand twice in a line.
            let Some(target) = sources.resolve(named).filter(|_| seen.insert((at.clone(), test))) else { continue };
            match target {
                Target::Own(path) => checker.own(from, &path, test, &at),
                Target::Other(path) => checker.other(from, &path.join("::"), named.glob, test, &at),
            }
        }
    }
    checker.circles();
    checker.stale_exceptions();
    checker.report
}

/// The first path found from one room to another.
type Edges = BTreeMap<&'static str, BTreeMap<&'static str, String>>;

struct Checker<'a> {
    krate: &'a Crate,
    exceptions: &'a [Exception],
    report: Report,
    edges: Edges,
    /// Exceptions that something needs, by position.
    needed: BTreeSet<usize>,
}

impl Checker<'_> {
    /// A plan that names what is not there protects nothing, and one that allows circles says nothing.
    fn plan(&mut self, sources: &Sources) {
        let Crate { name, rooms, .. } = self.krate;
        for room in *rooms {
            if !sources.modules().any(|module| room.depth(module).is_some()) {
                self.report.problems.push(format!("{name}: room {} does not exist", room.name));
            }
            for other in room.rooms {
                match rooms.iter().find(|candidate| candidate.name == *other) {
                    None => {
                        self.report.problems.push(format!("{name}: {} may use {other}, which is no room", room.name))
                    }
                    Some(below) if below.floor >= room.floor => self.report.problems.push(format!(
                        "{name}: {} (floor {}) may use {other}, which is not below it (floor {})",
                        room.name, room.floor, below.floor
                    )),
                    Some(_) => {}
                }
            }
        }
    }

    /// The room of something; what no other holds stands in the root itself.
    fn room_of(&self, path: &[String]) -> Option<&'static Room> {
        self.krate.room_of(path).or_else(|| self.krate.room_of(&[]))
    }

    fn own(&mut self, from: &'static Room, path: &[String], test: bool, at: &str) {
        let Some(to) = self.room_of(path).filter(|to| to.name != from.name) else { return };
        let for_tests = test && from.tests.iter().any(|other| *other == to.name || *other == ALL_ROOMS);
        let allowed = for_tests || from.rooms.contains(&to.name);
        if !allowed && self.excepted(from, |exception| exception == to.name) {
            return;
        }
        if !test {
            self.report.used.entry(from.name).or_default().insert(to.name.to_owned());
            self.edges.entry(from.name).or_default().entry(to.name).or_insert_with(|| at.to_owned());
        }
        if !allowed {
            let may = from.rooms.join(", ");
            self.report.problems.push(format!(
                "{at}\n  {} (floor {}) must not use {} (floor {}); of this crate it may use: {}\n  why: {}",
                from.name,
                from.floor,
                to.name,
                to.floor,
                if may.is_empty() { "nothing" } else { &may },
                from.why
            ));
        }
    }

    fn other(&mut self, from: &'static Room, path: &str, glob: bool, test: bool, at: &str) {
        let own = from.crates.iter().chain(if test { from.tests } else { &[] });
        let allowed = own.clone().chain(self.krate.shared).chain(&EVERYWHERE).filter(|entry| leads(entry, path));
        let allowed = allowed.max_by_key(|entry| entry.len());
        let forbidden = self.krate.forbidden.iter().filter(|entry| leads(entry, path) || glob && leads(path, entry));
        let forbidden = forbidden.max_by_key(|entry| entry.len());
        let why = match (allowed, forbidden) {
            (Some(allowed), Some(forbidden)) if forbidden.len() > allowed.len() => self.krate.why,
            (Some(allowed), _) => {
                if !test && own.clone().any(|entry| entry == allowed) {
                    self.report.used.entry(from.name).or_default().insert((*allowed).to_owned());
                }
                return;
            }
            (None, Some(_)) => self.krate.why,
            (None, None) => from.why,
        };
        if !self.excepted(from, |exception| leads(exception, path)) {
            let may: Vec<&str> = from.crates.iter().chain(self.krate.shared).copied().collect();
            let may = if may.is_empty() { "nothing".to_owned() } else { may.join(", ") };
            let problem =
                format!("{at}\n  {} must not use {path}; of other crates it may use: {may}\n  why: {why}", from.name);
            self.report.problems.push(problem);
        }
    }

    /// Whether a row lets a room use what it should not. Such a row is needed.
    fn excepted(&mut self, from: &Room, is: impl Fn(&str) -> bool) -> bool {
        let rows = self.exceptions.iter().enumerate();
        let mut rows = rows.filter(|(_, row)| row.krate == self.krate.name && row.from == from.name && is(row.to));
        let found = rows.next().map(|(position, _)| position);
        self.needed.extend(found);
        found.is_some()
    }

    fn stale_exceptions(&mut self) {
        let rows = self.exceptions.iter().enumerate().filter(|(_, row)| row.krate == self.krate.name);
        let stale = rows.filter(|(position, _)| !self.needed.contains(position));
        let problems =
            stale.map(|(_, row)| format!("{}: {} no longer uses {}: drop the exception", row.krate, row.from, row.to));
        self.report.problems.extend(problems);
    }

    /// Rooms that use each other in a circle, whatever the plan says. Exceptions are counted out.
    fn circles(&mut self) {
        let mut edges = self.edges.clone();
        while let Some(circle) = circle(&mut edges) {
            let next = |at: usize| circle[(at + 1) % circle.len()];
            let lines = circle
                .iter()
                .enumerate()
                .map(|(at, from)| format!("\n  {from} -> {}: {}", next(at), edges[from][next(at)]));
            let lines: String = lines.collect();
            self.report.problems.push(format!("{}: rooms in a circle{lines}", self.krate.name));
            // Without one of its edges it is none, and others show.
            edges.entry(circle[0]).or_default().remove(next(0));
        }
    }
}

/// A circle among the edges, of which only those that may be on one are kept.
fn circle(edges: &mut Edges) -> Option<Vec<&'static str>> {
    loop {
        // Who uses nobody is on no circle, and neither is who uses only such.
        let left: BTreeSet<&str> = edges.keys().copied().collect();
        edges.retain(|_, to| {
            to.retain(|to, _| left.contains(to));
            !to.is_empty()
        });
        if edges.len() == left.len() {
            break;
        }
    }
    let mut way = vec![*edges.first_key_value()?.0];
    loop {
        // Everybody who is left uses somebody who is left.
        let (next, _) = edges.get(way.last()?)?.first_key_value()?;
        if let Some(start) = way.iter().position(|passed| passed == next) {
            return Some(way.split_off(start));
        }
        way.push(next);
    }
}

/// Whether a path is `entry` or lies below it.
fn leads(entry: &str, path: &str) -> bool {
    path.strip_prefix(entry).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: &str = "a house needs a plan";
    const ROOM: Room = Room { name: "lib.rs", modules: &[], floor: 9, rooms: &[], crates: &[], tests: &[], why: NEVER };
    const HOUSE: Crate = Crate {
        name: "house",
        folder: "house",
        shared: &["thiserror"],
        forbidden: &["std::fs", "std::collections::HashMap"],
        why: "no files, no chance",
        rooms: &[
            Room { modules: &[""], rooms: &["roof", "cellar"], ..ROOM },
            Room { name: "roof", floor: 2, rooms: &["cellar"], tests: &[ALL_ROOMS], ..ROOM },
            Room { name: "cellar", floor: 1, crates: &["ash::vk"], ..ROOM },
        ],
    };

    /// What is wrong with a house of which these are the roof and the cellar.
    fn problems_with(exceptions: &[Exception], roof: &str, cellar: &str) -> Vec<String> {
        let mut sources = Sources::new("house", ["ash", "thiserror", "rustix"].map(str::to_owned));
        for (below, text) in [("lib.rs", "mod roof; mod cellar;"), ("roof.rs", roof), ("cellar/mod.rs", cellar)] {
            sources.add(&format!("house/src/{below}"), below, text).unwrap();
        }
        check(&HOUSE, exceptions, &sources).problems
    }

    fn problems(roof: &str, cellar: &str) -> Vec<String> {
        problems_with(&[], roof, cellar)
    }

    #[test]
    fn what_lies_below_may_be_used() {
        assert_eq!(problems("use crate::cellar::Coal; use thiserror::Error;", "use ash::vk::{self, Image};"), [""; 0]);
    }

    #[test]
    fn a_grouped_import_upwards_is_found() {
        let found = problems("", "use ash::vk;\nuse crate::{\n    cellar::Coal,\n    roof::{self, Tile},\n};");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("house/src/cellar/mod.rs:4: crate::roof\n  cellar (floor 1) must not use roof"));
        assert!(found[1].ends_with(NEVER), "{found:?}");
    }

    #[test]
    fn what_follows_unit_tests_is_found() {
        let found = problems("", "#[cfg(test)]\nmod tests {}\nfn late() { crate::roof::tile() }");
        assert!(found[0].starts_with("house/src/cellar/mod.rs:3: crate::roof::tile"), "{found:?}");
    }

    #[test]
    fn bodies_of_macros_are_no_way_out() {
        let found = problems("", "macro_rules! m { () => { $crate::roof::Tile } }");
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn tests_may_use_what_their_row_says() {
        let inside = "#[cfg(test)]\nmod tests { use crate::Door; }";
        assert_eq!(problems(inside, ""), [""; 0]);
        assert_eq!(problems("", inside).len(), 1);
        assert_eq!(problems("use crate::Door;", "").len(), 1);
    }

    #[test]
    fn other_crates_are_used_as_far_as_the_row_says() {
        for refused in ["use ash::Entry;", "use rustix::fs;", "use ash::{vk, Device};"] {
            let found = problems("", refused);
            assert!(found.len() == 1 && found[0].contains("may use: ash::vk, thiserror"), "{found:?}");
        }
    }

    #[test]
    fn parts_of_the_standard_library_may_be_forbidden() {
        for refused in ["use std::fs::File;", "fn f() { std::fs::read(1) }", "use std::collections::{HashMap as Map};"]
        {
            assert!(problems(refused, "")[0].ends_with("no files, no chance"), "{refused}");
        }
        assert_eq!(problems("use std::*;", "").len(), 1);
        assert_eq!(problems("use std::fmt; use std::collections::BTreeMap;", ""), [""; 0]);
    }

    #[test]
    fn a_room_that_is_missing_is_an_error() {
        let mut sources = Sources::new("house", []);
        sources.add("house/src/roof.rs", "roof.rs", "").unwrap();
        sources.add("house/src/attic.rs", "attic.rs", "").unwrap();
        let found = check(&HOUSE, &[], &sources).problems;
        let expected = ["house: room lib.rs does not exist", "house: room cellar does not exist"];
        assert_eq!(found[..2], expected);
        assert!(found[2].starts_with("house/src/attic.rs belongs to no room"), "{found:?}");
    }

    #[test]
    fn an_exception_stands_as_long_as_it_is_needed() {
        let row = |to| [Exception { krate: "house", from: "cellar", to, why: NEVER }];
        let upwards = "use crate::roof::Tile;";
        assert_eq!(problems_with(&row("roof"), "use crate::cellar::Coal;", upwards), [""; 0]);
        assert_eq!(problems_with(&row("rustix"), "", "use rustix::fs;"), [""; 0]);
        let stale = problems_with(&row("roof"), "", "");
        assert_eq!(stale, ["house: cellar no longer uses roof: drop the exception"]);
    }

    #[test]
    fn a_circle_is_told_with_its_edges() {
        let found = problems("fn f() { crate::cellar::coal() }", "use crate::roof::Tile;");
        let circle = "house: rooms in a circle\n  cellar -> roof: house/src/cellar/mod.rs:1: crate::roof::Tile\n  \
                      roof -> cellar: house/src/roof.rs:1: crate::cellar::coal";
        assert_eq!(found.last().unwrap(), circle);
    }

    #[test]
    fn a_plan_that_leads_upwards_is_none() {
        let plan = Crate {
            rooms: &[Room { name: "a", floor: 1, rooms: &["b", "c"], ..ROOM }, Room { name: "b", floor: 1, ..ROOM }],
            ..HOUSE
        };
        let mut sources = Sources::new("house", []);
        sources.add("a.rs", "a.rs", "").unwrap();
        sources.add("b.rs", "b.rs", "").unwrap();
        let found = check(&plan, &[], &sources).problems;
        assert_eq!(
            found,
            ["house: a (floor 1) may use b, which is not below it (floor 1)", "house: a may use c, which is no room"]
        );
    }
}
