//! Diagnostics: what is wrong with a registry, where, and what to do about it.
//!
//! Every stage collects all problems it can find before it gives up, so one run of the generator shows them all.

use std::fmt;

/// A place in a registry file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct XmlPos {
    /// File name as it was given to the generator, for example `vk.xml`.
    pub file: String,
    /// Line, counted from 1. 0 when the problem concerns the file as a whole.
    pub line: u32,
}

impl fmt::Display for XmlPos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Where the offending element starts.
    pub at: XmlPos,
    /// The element as a path of names, for example `types/type VkBufferCreateInfo/member pNext`.
    pub element: String,
    /// What is wrong, with the values that matter.
    pub message: String,
    /// What the reader should do about it.
    pub help: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.at, self.element, self.message)?;
        if !self.help.is_empty() {
            write!(f, "\n    help: {}", self.help)?;
        }
        Ok(())
    }
}

/// All problems of a run, in the order of the registry files. Never empty when returned as an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a problem.
    pub fn push(
        &mut self,
        at: &XmlPos,
        element: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.0.push(Diagnostic { at: at.clone(), element: element.into(), message: message.into(), help: help.into() });
    }

    /// Adds the problems that another stage found.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The problems so far.
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.0
    }

    /// `Ok(value)` when nothing was reported, all problems otherwise.
    pub fn into_result<T>(mut self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort();
        self.0.dedup();
        Err(self)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.0 {
            writeln!(f, "{diagnostic}")?;
        }
        write!(f, "{} problem(s) in the registry", self.0.len())
    }
}

impl std::error::Error for Diagnostics {}
