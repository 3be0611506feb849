//! The result of a replay: counts, and the differences from the recording.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    fmt::{self, Write as _},
    time::Duration,
};

use venus_protocol::wire::CommandType;

use super::{
    compare::{Difference, Verdict},
    memory::Change,
};
use crate::recording::Ending;

/// Differences of results that are kept for the report; the others are only counted.
const KEPT_RESULTS: usize = 50;

/// Members whose differences are kept for the report. The registry has fewer, so this only bounds bugs.
const KEPT_MEMBERS: usize = 10_000;

/// Most notes of a report; each is kept once.
const KEPT_NOTES: usize = 100;

/// What a replay did, and how it compares with the recording.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// Commands that were executed and whose ends are in the recording.
    pub commands: u64,
    /// Replies with the same bytes.
    pub replies_equal: u64,
    /// Replies that differ only as those of any two runs do: addresses, times, a fence that was signalled sooner.
    pub replies_varying: u64,
    /// Replies with other values.
    pub replies_different: u64,
    /// Results that differ, resources that could or could not be made, commands that failed or did not.
    pub results_different: u64,
    /// The first of these.
    pub results: Vec<ResultDifference>,
    /// Members with other values, by structure or command and their name.
    pub members: BTreeMap<(&'static str, &'static str), MemberDifference>,
    /// Fences that retired in both.
    pub fences: u64,
    /// Fences that retired in the recording only, or in another order on their timeline.
    pub fences_different: u64,
    /// Commands that were executed again until the driver had come as far as when it was recorded.
    pub repeated: u64,
    /// Pictures that were saved.
    pub pictures: u64,
    /// Further remarks, in sentences.
    pub notes: Vec<String>,
    /// Why the context ended early, if it did.
    pub lost: Option<String>,
    /// How the recording ends; none if the replay ended before.
    pub ending: Option<Ending>,
    /// From the first command to the end of all work.
    pub elapsed: Duration,
    /// Buffers and images that need more memory here, or another alignment.
    more_demanding: u64,
    /// Allocations that are larger here than in the recording.
    grown: u64,
}

/// A result that is not what was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResultDifference {
    /// The command's number, if it was a command.
    pub number: Option<u64>,
    /// The command's name, or what was done.
    pub what: &'static str,
    /// What was recorded.
    pub expected: String,
    /// What the replay got.
    pub got: String,
}

/// A member that has another value in some replies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberDifference {
    /// How often it differs.
    pub count: u64,
    /// Number of the first command in whose reply it differs.
    pub number: u64,
    /// That command's name.
    pub command: &'static str,
    /// The recorded value.
    pub expected: String,
    /// What the replay got.
    pub got: String,
}

impl Report {
    /// Whether the driver did what it did when it was recorded. `strict` also compares all values in replies.
    #[must_use]
    pub fn is_equal(&self, strict: bool) -> bool {
        self.results_different == 0 && self.fences_different == 0 && (!strict || self.replies_different == 0)
    }

    pub(super) fn add_verdict(&mut self, number: u64, command: CommandType, verdict: Verdict) {
        match verdict {
            Verdict::Equal => self.replies_equal = self.replies_equal.saturating_add(1),
            Verdict::Varies => self.replies_varying = self.replies_varying.saturating_add(1),
            Verdict::Members(found) => {
                self.replies_different = self.replies_different.saturating_add(1);
                self.more_demanding = self.more_demanding.saturating_add(u64::from(found.iter().any(wants_more)));
                for difference in found {
                    self.add_member(number, command, difference);
                }
            }
            Verdict::Result { expected, got } => {
                self.replies_different = self.replies_different.saturating_add(1);
                self.add_result(Some(number), command.name(), expected, got);
            }
        }
    }

    pub(super) fn add_result(&mut self, number: Option<u64>, what: &'static str, expected: String, got: String) {
        self.results_different = self.results_different.saturating_add(1);
        if self.results.len() < KEPT_RESULTS {
            self.results.push(ResultDifference { number, what, expected, got });
        }
    }

    fn add_member(&mut self, number: u64, command: CommandType, difference: Difference) {
        let Difference { member, expected, got, .. } = difference;
        let key = (member.owner, member.name);
        if let Some(known) = self.members.get_mut(&key) {
            known.count = known.count.saturating_add(1);
        } else if self.members.len() < KEPT_MEMBERS {
            let command = command.name();
            self.members.insert(key, MemberDifference { count: 1, number, command, expected, got });
        }
    }

    pub(super) fn add_change(&mut self, change: &Change) {
        let Change { recorded_type, memory_type, has_grown } = change;
        if recorded_type != memory_type {
            self.note(format!("memory type {memory_type} stands for the recorded type {recorded_type}"));
        }
        self.grown = self.grown.saturating_add(u64::from(*has_grown));
    }

    /// Adds a remark, unless it is there already.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if self.notes.len() < KEPT_NOTES && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Adds the remarks that can only be made at the end.
    pub(super) fn conclude(&mut self) {
        if self.more_demanding > 0 {
            self.note(format!(
                "{} memory than in the recording, {} larger for it; what the program has put side by side in one \
                 allocation may overlap or be misaligned here, so binding may fail and drawing may go wrong",
                plural(
                    self.more_demanding,
                    "buffer or image wants more or otherwise aligned",
                    "buffers and images want more or otherwise aligned"
                ),
                plural(self.grown, "allocation was made", "allocations were made"),
            ));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replies = self.replies_equal.saturating_add(self.replies_varying).saturating_add(self.replies_different);
        writeln!(f, "{}, {}", count(self.commands, "command"), Seconds(self.elapsed))?;
        write!(f, "{}: {} equal", plural(replies, "reply", "replies"), self.replies_equal)?;
        if self.replies_varying > 0 {
            write!(f, ", {} equal but for what no two runs agree on", self.replies_varying)?;
        }
        writeln!(f, ", {} different", self.replies_different)?;
        if self.repeated > 0 {
            writeln!(f, "{} asked again until the driver had come as far", count(self.repeated, "command"))?;
        }
        match self.fences_different {
            0 => writeln!(f, "{} retired in the recorded order", count(self.fences, "fence"))?,
            different => writeln!(f, "{} retired, {different} not as recorded", count(self.fences, "fence"))?,
        }
        if self.pictures > 0 {
            writeln!(f, "{} saved", count(self.pictures, "picture"))?;
        }
        writeln!(f, "{} as recorded", results(self.results_different))?;
        for difference in &self.results {
            writeln!(f, "  {difference}")?;
        }
        let listed = self.results.len() as u64;
        if self.results_different > listed {
            writeln!(f, "  and {} more", self.results_different.saturating_sub(listed))?;
        }
        self.write_members(f)?;
        if let Some(reason) = &self.lost {
            writeln!(f, "the context was lost: {reason}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        match self.ending {
            Some(Ending::Complete) => Ok(()),
            Some(ending) => writeln!(f, "note: {ending}; it was replayed up to there"),
            None => writeln!(f, "note: the replay ended before the recording does"),
        }
    }
}

impl Report {
    /// Lists members that differ. Those that describe the driver are only counted unless all shall be listed: another
    /// driver differs in hundreds.
    fn write_members(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let describes = |difference: &MemberDifference| {
            ["vkGetPhysicalDevice", "vkEnumerate"].iter().any(|start| difference.command.starts_with(start))
        };
        let describing = self.members.values().filter(|difference| describes(difference)).count();
        let is_short = !f.alternate();
        if self.members.len() > describing || (!is_short && describing > 0) {
            writeln!(f, "other values in replies:")?;
        }
        for ((owner, name), difference) in &self.members {
            if is_short && describes(difference) {
                continue;
            }
            let MemberDifference { count, number, command, expected, got } = difference;
            writeln!(f, "  {owner}::{name}: {count}, first in #{number} {command}: {expected}, now {got}")?;
        }
        if is_short && describing > 0 {
            let members = plural(describing as u64, "member that describes", "members that describe");
            writeln!(f, "other values in {members} the driver")?;
        }
        Ok(())
    }
}

impl fmt::Display for ResultDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(number) = self.number {
            write!(f, "#{number} ")?;
        }
        write!(f, "{}: {}, now {}", self.what, self.expected, self.got)
    }
}

/// Whether a buffer or image wants more memory, or memory that is otherwise aligned.
fn wants_more(difference: &Difference) -> bool {
    let Difference { member, order, .. } = difference;
    member.owner == "VkMemoryRequirements"
        && ["size", "alignment"].contains(&member.name)
        && *order == Ordering::Greater
}

fn results(different: u64) -> String {
    match different {
        0 => "all results are".to_owned(),
        1 => "1 result is not".to_owned(),
        _ => format!("{different} results are not"),
    }
}

fn count(count: u64, what: &str) -> String {
    plural(count, what, &format!("{what}s"))
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A time, in seconds or milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        match self.0.as_secs() {
            0 => write!(text, "{:.1} ms", self.0.as_secs_f64() * 1000.0)?,
            _ => write!(text, "{:.2} s", self.0.as_secs_f64())?,
        }
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use venus_protocol::wire::Member;

    use super::*;

    #[test]
    fn a_report_says_what_differs_and_counts_the_rest() {
        let mut report = Report { ending: Some(Ending::Complete), ..Report::default() };
        report.add_verdict(0, CommandType::CREATE_FENCE, Verdict::Equal);
        for number in 1..=60 {
            let verdict = Verdict::Result { expected: "VK_SUCCESS".into(), got: "VK_NOT_READY".into() };
            report.add_verdict(number, CommandType::GET_FENCE_STATUS, verdict);
        }
        let member = Member { owner: "VkMemoryRequirements", name: "size" };
        for number in 61..=62 {
            let difference = Difference { member, expected: "1".into(), got: "2".into(), order: Ordering::Greater };
            report.add_verdict(number, CommandType::GET_BUFFER_MEMORY_REQUIREMENTS, Verdict::Members(vec![difference]));
        }
        report.conclude();
        let text = report.to_string();
        for expected in [
            "63 replies: 1 equal, 62 different",
            "60 results are not as recorded",
            "#1 vkGetFenceStatus: VK_SUCCESS, now VK_NOT_READY",
            "and 10 more",
            "VkMemoryRequirements::size: 2, first in #61 vkGetBufferMemoryRequirements: 1, now 2",
            "2 buffers and images want more or otherwise aligned memory than in the recording, 0 allocations were made larger",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in {text}");
        }
        assert!(!report.is_equal(false));
    }

    #[test]
    fn what_describes_the_driver_is_listed_if_it_shall_be() {
        let mut report = Report::default();
        let difference = |owner, name| Difference {
            member: Member { owner, name },
            expected: "1".into(),
            got: "2".into(),
            order: Ordering::Less,
        };
        let found = vec![difference("VkPhysicalDeviceLimits", "mipmapPrecisionBits")];
        report.add_verdict(3, CommandType::GET_PHYSICAL_DEVICE_PROPERTIES, Verdict::Members(found));
        let text = report.to_string();
        assert!(text.contains("other values in 1 member that describes the driver"), "{text}");
        assert!(!text.contains("mipmapPrecisionBits"), "{text}");
        let text = format!("{report:#}");
        assert!(text.contains("VkPhysicalDeviceLimits::mipmapPrecisionBits: 1, first in #3"), "{text}");
    }

    #[test]
    fn values_count_only_if_they_shall() {
        let mut report = Report::default();
        let member = Member { owner: "VkPhysicalDeviceLimits", name: "maxImageDimension2D" };
        let difference = Difference { member, expected: "1".into(), got: "2".into(), order: Ordering::Greater };
        report.add_verdict(0, CommandType::GET_PHYSICAL_DEVICE_PROPERTIES, Verdict::Members(vec![difference]));
        assert!(report.is_equal(false));
        assert!(!report.is_equal(true));
        report.fences_different = 1;
        assert!(!report.is_equal(false));
    }
}
