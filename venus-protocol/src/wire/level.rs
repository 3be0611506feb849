//! Levels: how much of the protocol a peer knows.

use core::{fmt, str::FromStr};

use super::CommandType;

/// A state of the protocol, called by how many command names it has.
///
/// The wire format is the same at every level: a newer one knows more commands, and more structures in chains. What a
/// level does not list is unknown to its hosts, and sending it is an error. The constants are in `generated/levels.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level {
    number: u32,
    last_command: CommandType,
    xml_version: u32,
    venus_protocol_spec_version: u32,
}

impl Level {
    pub(crate) const fn new(
        number: u32,
        last_command: CommandType,
        xml_version: u32,
        venus_protocol_spec_version: u32,
    ) -> Self {
        Self { number, last_command, xml_version, venus_protocol_spec_version }
    }

    /// How many names it has.
    pub const fn number(self) -> u32 {
        self.number
    }

    /// The level of so many names.
    pub fn of_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|level| level.number == number)
    }

    /// Version of the registry that it is defined against, which its hosts announce.
    pub const fn xml_version(self) -> u32 {
        self.xml_version
    }

    /// Specification version of `VK_MESA_venus_protocol`.
    pub const fn venus_protocol_spec_version(self) -> u32 {
        self.venus_protocol_spec_version
    }

    /// Whether its peers know a command: numbers are given in the order of levels.
    #[inline]
    pub fn has_command(self, command: CommandType) -> bool {
        command <= self.last_command
    }

    /// The level that a command came with; the newest one for what is no command.
    pub fn of_command(command: CommandType) -> Self {
        Self::ALL.iter().copied().find(|level| level.has_command(command)).unwrap_or(Self::NEWEST)
    }
}

/// The newest.
impl Default for Level {
    fn default() -> Self {
        Self::NEWEST
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(number: &str) -> Result<Self, UnknownLevel> {
        number.parse().ok().and_then(Self::of_number).ok_or(UnknownLevel)
    }
}

/// What was said is the number of no level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLevel;

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the levels of the protocol are")?;
        for (n, level) in Level::ALL.iter().enumerate() {
            let before = if n == 0 { " " } else { ", " };
            write!(f, "{before}{level}")?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownLevel {}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number)
    }
}
