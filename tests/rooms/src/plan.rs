//! A plan of rooms, as data.

use std::slice;

/// A crate with its rooms.
#[derive(Debug)]
pub struct Crate {
    /// As code calls it.
    pub name: &'static str,
    /// Where it is, from the workspace's root.
    pub folder: &'static str,
    /// What each of its rooms may use of other crates.
    pub shared: &'static [&'static str],
    /// What none may, unless its own row names it.
    pub forbidden: &'static [&'static str],
    /// Why it is forbidden.
    pub why: &'static str,
    /// All of them.
    pub rooms: &'static [Room],
}

/// A room.
#[derive(Debug)]
pub struct Room {
    /// How rows and messages call it.
    pub name: &'static str,
    /// Its modules, with `/`, where it is not the one of its name; `""` is the crate's root alone, `*` all of the crate.
    pub modules: &'static [&'static str],
    /// On which floor it is; it uses lower ones only.
    pub floor: u8,
    /// Rooms of this crate that it may use.
    pub rooms: &'static [&'static str],
    /// What it may use of other crates: paths, for all that lies below.
    pub crates: &'static [&'static str],
    /// What its tests may use beside that; `*` for all rooms of the crate.
    pub tests: &'static [&'static str],
    /// What the room is for, as the reason to refuse something.
    pub why: &'static str,
}

impl Crate {
    /// The room that a module, or something in one, belongs to.
    pub fn room_of(&self, path: &[String]) -> Option<&'static Room> {
        let depths = self.rooms.iter().filter_map(|room| Some((room.depth(path)?, room)));
        depths.max_by_key(|(depth, _)| *depth).map(|(_, room)| room)
    }
}

impl Room {
    /// How many steps of the way to a module are the room's own; nothing where the module is not in the room.
    pub fn depth(&self, path: &[String]) -> Option<usize> {
        let own = slice::from_ref(&self.name);
        let modules = if self.modules.is_empty() { own } else { self.modules };
        let depths = modules.iter().filter_map(|module| match *module {
            "*" => Some(0),
            "" => path.is_empty().then_some(0),
            module => {
                let steps: Vec<&str> = module.split('/').collect();
                (path.len() >= steps.len() && steps.iter().zip(path).all(|(step, part)| step == part))
                    .then_some(steps.len())
            }
        });
        depths.max()
    }
}

/// A use against the plan that stands for now. One that nothing needs any more is an error.
#[derive(Debug)]
pub struct Exception {
    /// In which crate, as code calls it.
    pub krate: &'static str,
    /// The room that uses it.
    pub from: &'static str,
    /// A room, or a path of another crate.
    pub to: &'static str,
    /// Why it stands.
    pub why: &'static str,
}
