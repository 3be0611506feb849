//! Which commands and events to show.

use std::ops::RangeInclusive;

use venus_protocol::{
    reflect::{self, value::Request},
    wire::CommandType,
};

use super::units;
use crate::recording::Source;

/// Why a filter cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// A pattern that no name of a command matches.
    #[error("no command that travels is matched by `{0}`")]
    NoCommand(String),
    /// Something else than the id of an object.
    #[error("`{0}` is no number; write it like 18 or 0x12")]
    NoNumber(String),
    /// Something else than an endpoint.
    #[error("`{0}` is no number; write it like 18 or 0x12, or `direct`")]
    NoSource(String),
    /// Something else than a time.
    #[error("`{0}` is no time; write it like 1.5s, 200ms, 30us or 500ns")]
    NoTime(String),
    /// Something else than a range of numbers.
    #[error("`{0}` is no range; write it like #10..#20, 10.. or 15")]
    NoRange(String),
    /// A range without numbers.
    #[error("the range is empty")]
    EmptyRange,
}

/// What to show: everything, as long as nothing is set.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// By command number: whether to show it; all commands if empty.
    commands: Vec<bool>,
    /// Whether commands are looked for, not only hidden: then nothing else is of interest.
    seeks_commands: bool,
    objects: Vec<u64>,
    sources: Vec<Source>,
    time: Option<RangeInclusive<u64>>,
    numbers: Option<RangeInclusive<u64>>,
    only_failed: bool,
}

impl Filter {
    /// Shows the commands whose name, or another name of theirs, is matched by `pattern`: as a whole if it has `*` or
    /// `?`, else in part. After `!` they are hidden. Later patterns go before earlier ones; the first says by its kind
    /// what becomes of commands that no pattern matches.
    ///
    /// # Errors
    ///
    /// No command is matched.
    pub fn add_command(&mut self, pattern: &str) -> Result<(), FilterError> {
        let given = pattern;
        let (pattern, is_shown) = match given.strip_prefix('!') {
            Some(hidden) => (Pattern::new(hidden), false),
            None => (Pattern::new(pattern), true),
        };
        self.seeks_commands |= is_shown;
        let numbers = reflect::commands().map(|row| row.command.0 as usize);
        self.commands.resize(numbers.max().map_or(0, |last| last.saturating_add(1)), !is_shown);
        let mut matched = false;
        for row in reflect::commands() {
            let is_match = pattern.matches(row.command.name()) || row.aliases().any(|name| pattern.matches(name));
            if let (true, Some(shown)) = (is_match, self.commands.get_mut(row.command.0 as usize)) {
                *shown = is_shown;
                matched = true;
            }
        }
        if matched { Ok(()) } else { Err(FilterError::NoCommand(given.to_owned())) }
    }

    /// Shows the commands that name the object with this id.
    ///
    /// # Errors
    ///
    /// That is no number.
    pub fn add_object(&mut self, id: &str) -> Result<(), FilterError> {
        let id = units::parse_number(id).ok_or_else(|| FilterError::NoNumber(id.trim().to_owned()))?;
        self.objects.push(id);
        Ok(())
    }

    /// Shows what comes by this ring, or by none of them: `direct`.
    ///
    /// # Errors
    ///
    /// That is neither.
    pub fn add_source(&mut self, source: &str) -> Result<(), FilterError> {
        self.sources.push(match source {
            "direct" => Source::Direct,
            id => Source::Ring(units::parse_number(id).ok_or_else(|| FilterError::NoSource(id.trim().to_owned()))?),
        });
        Ok(())
    }

    /// Shows what begins within these times since the recording began.
    ///
    /// # Errors
    ///
    /// Those are no times.
    pub fn set_time(&mut self, from: Option<&str>, to: Option<&str>) -> Result<(), FilterError> {
        let parse = |text: &str| units::parse_duration(text).ok_or_else(|| FilterError::NoTime(text.trim().to_owned()));
        let from = from.map(parse).transpose()?;
        let to = to.map(parse).transpose()?;
        if from.is_some() || to.is_some() {
            self.time = Some(from.unwrap_or(0)..=to.unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// Shows the commands from one number to another, both included: `#10..#20`, `10..`, `..20` or `15`.
    ///
    /// # Errors
    ///
    /// That is no range.
    pub fn set_range(&mut self, range: &str) -> Result<(), FilterError> {
        let number = |text: &str, otherwise| match text.trim().trim_start_matches('#') {
            "" => Ok(otherwise),
            digits => digits.parse().map_err(|_| FilterError::NoRange(range.to_owned())),
        };
        self.numbers = Some(match range.split_once("..") {
            Some((first, last)) => number(first, 0)?..=number(last.trim_start_matches('='), u64::MAX)?,
            None if range.trim().is_empty() => return Err(FilterError::EmptyRange),
            None => {
                let only = number(range, 0)?;
                only..=only
            }
        });
        Ok(())
    }

    /// Shows commands that failed, and the end of the context.
    pub fn set_only_failed(&mut self) {
        self.only_failed = true;
    }

    /// Whether commands are shown only if they fail.
    pub(super) fn only_failed(&self) -> bool {
        self.only_failed
    }

    /// Whether something at this time, before the command with this number, is in the part of the recording that is
    /// shown.
    pub(super) fn covers(&self, time_ns: Option<u64>, number: u64) -> bool {
        let in_time = |range: &RangeInclusive<u64>| time_ns.is_none_or(|time| range.contains(&time));
        self.time.as_ref().is_none_or(in_time) && self.numbers.as_ref().is_none_or(|range| range.contains(&number))
    }

    /// Whether what comes by this endpoint is shown.
    pub(super) fn covers_source(&self, source: Source) -> bool {
        self.sources.is_empty() || self.sources.contains(&source)
    }

    /// Whether a command is shown for its name and what it names.
    pub(super) fn covers_command(&self, command: Option<CommandType>, request: Option<&Request<'_>>) -> bool {
        let by_name = |command: CommandType| self.commands.get(command.0 as usize).copied().unwrap_or(false);
        (self.commands.is_empty() || command.map_or(!self.seeks_commands, by_name))
            && (self.objects.is_empty() || request.is_some_and(|request| self.names_object(request)))
    }

    fn names_object(&self, request: &Request<'_>) -> bool {
        let mut found = false;
        let mut look = |_: &_, id: u64| found |= self.objects.contains(&id);
        request.params.iter().for_each(|field| field.value.for_each_handle(&mut look));
        found
    }

    /// Whether events that are no commands are shown. `object` is what it concerns, if anything.
    pub(super) fn covers_event(&self, source: Option<Source>, object: Option<u64>) -> bool {
        let by_object = self.objects.is_empty() || object.is_some_and(|id| self.objects.contains(&id));
        let by_source = self.sources.is_empty() || source.is_some_and(|source| self.sources.contains(&source));
        !self.seeks_commands && !self.only_failed && by_object && by_source
    }
}

/// A pattern for names, in small letters.
struct Pattern {
    text: String,
    is_glob: bool,
}

impl Pattern {
    fn new(text: &str) -> Self {
        Self { text: text.to_ascii_lowercase(), is_glob: text.contains(['*', '?']) }
    }

    fn matches(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        if self.is_glob { matches_glob(self.text.as_bytes(), name.as_bytes()) } else { name.contains(&self.text) }
    }
}

/// Whether `*` (anything) and `?` (one character) can stand for something that makes the pattern the name.
fn matches_glob(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            (0..=name.len()).any(|skipped| matches_glob(rest, name.get(skipped..).unwrap_or_default()))
        }
        ([b'?', rest @ ..], [_, name @ ..]) => matches_glob(rest, name),
        ([first, rest @ ..], [character, name @ ..]) => first == character && matches_glob(rest, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern: &str, name: &str, expected: bool| {
            assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern} {name}");
        };
        check("draw", "vkCmdDrawIndexed", true);
        check("vkCmdDraw", "vkCmdDrawIndexed", true);
        check("vkcmddraw*", "vkCmdDrawIndexed", true);
        check("vkCmdDraw?", "vkCmdDrawIndexed", false);
        check("*Buffer", "vkCreateBuffer", true);
        check("*Buffer", "vkCreateBufferView", false);
        check("vk*e*Buf*r", "vkCreateBuffer", true);
    }

    #[test]
    fn other_names_of_commands_are_matched() {
        let mut filter = Filter::default();
        filter.add_command("vkQueueSubmit2KHR").unwrap();
        assert!(filter.covers_command(Some(CommandType::QUEUE_SUBMIT2), None));
        assert!(!filter.covers_command(Some(CommandType::QUEUE_SUBMIT), None));
        assert!(!filter.covers_command(None, None));
        assert!(filter.add_command("vkMakeCoffee").unwrap_err().to_string().contains("`vkMakeCoffee`"));
    }

    #[test]
    fn commands_can_be_hidden() {
        let mut filter = Filter::default();
        filter.add_command("!*MESA").unwrap();
        filter.add_command("vkNotifyRingMESA").unwrap();
        assert!(filter.covers_command(Some(CommandType::QUEUE_SUBMIT), None));
        assert!(filter.covers_command(Some(CommandType::NOTIFY_RING_MESA), None));
        assert!(!filter.covers_command(Some(CommandType::SET_REPLY_COMMAND_STREAM_MESA), None));
    }

    #[test]
    fn ranges_include_both_ends() {
        let check = |text: &str, inside: &[u64], outside: &[u64]| {
            let mut filter = Filter::default();
            filter.set_range(text).unwrap();
            assert!(inside.iter().all(|number| filter.covers(None, *number)), "{text}");
            assert!(!outside.iter().any(|number| filter.covers(None, *number)), "{text}");
        };
        check("#10..#20", &[10, 20], &[9, 21]);
        check("10..", &[10, u64::MAX], &[9]);
        check("..20", &[0, 20], &[21]);
        check("#15", &[15], &[14, 16]);
        for wrong in ["", "a..b", "1...3", "x"] {
            assert!(Filter::default().set_range(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_and_sources() {
        let mut filter = Filter::default();
        filter.set_time(Some("1ms"), Some("2ms")).unwrap();
        filter.add_source("0x7").unwrap();
        filter.add_source("direct").unwrap();
        assert!(filter.covers(Some(1_500_000), 0) && !filter.covers(Some(2_000_001), 0));
        assert!(filter.covers_source(Source::Ring(7)) && filter.covers_source(Source::Direct));
        assert!(!filter.covers_source(Source::Ring(8)));
        assert!(filter.add_source("all").is_err());
    }
}
