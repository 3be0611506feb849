//! What `venus dump` prints of recordings; of one that was cut, all that was there, and that it was cut.

use crate::common::{fixtures, places, read};
use serde_json::Value;
use venus_observe::dump::{Detail, End, Input, Options, dump};
use venus_observe::recording::{Ending, Event};

/// Every line of a file's dump, and how it ends.
fn lines(bytes: &[u8]) -> (Vec<Value>, End) {
    let mut out = Vec::new();
    let options = Options::new().json(true);
    let end = dump(Input::open(bytes).expect("a recording"), &options, &mut out).expect("memory can be written");
    let text = String::from_utf8(out).expect("JSON is UTF-8");
    (text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect(), end)
}

/// A file's dump for people.
fn text(bytes: &[u8], detail: Detail) -> String {
    let mut out = Vec::new();
    let options = Options::new().detail(detail);
    dump(Input::open(bytes).expect("a recording"), &options, &mut out).expect("memory can be written");
    String::from_utf8(out).expect("text is UTF-8")
}

#[test]
fn braces_match() {
    for path in fixtures() {
        let bytes = std::fs::read(&path).unwrap();
        for text in [Detail::Brief, Detail::Full].map(|detail| text(&bytes, detail)) {
            // Names of objects and of programs hold none.
            let count = |line: &str, brace| line.chars().filter(|char| *char == brace).count();
            let odd: Vec<_> = text.lines().filter(|line| count(line, '{') != count(line, '}')).collect();
            assert_eq!(odd, [""; 0], "{}", path.display());
        }
    }
}

/// Whether a line of a cut dump says what the same line of the whole one says, as far as it was known then: a command
/// may have ended, and a fence retired, only after the cut.
fn agrees(cut: &Value, whole: &Value) -> bool {
    let (Some(cut), Some(whole)) = (cut.as_object(), whole.as_object()) else { return false };
    let ended = cut.get("ended") != Some(&Value::Bool(false));
    cut.iter().all(|(name, value)| whole.get(name) == Some(value) || (name == "ended" && !ended))
        && (!ended || cut.len() == whole.len())
}

#[test]
fn a_cut_recording_is_printed_up_to_the_cut() {
    for path in fixtures() {
        let name = path.display();
        let bytes = std::fs::read(&path).unwrap();
        let (all, end) = lines(&bytes);
        assert_eq!(end, End::Recording(Ending::Complete), "{name}");
        for cut in places(&bytes) {
            let (some, end) = lines(&bytes[..cut]);
            let (last, some) = some.split_last().expect("a dump has a last line");
            for (number, line) in some.iter().enumerate() {
                assert!(agrees(line, &all[number]), "{name} cut at {cut}: {line}\nis not {}", all[number]);
            }
            assert!(!end.is_complete(), "{name} cut at {cut}: {end}");
            assert_eq!(last["text"], end.to_string(), "{name} cut at {cut}");
            let mut begun = 0;
            read(&bytes[..cut], |record| begun += u64::from(matches!(record.event, Event::Begin { .. })));
            assert_eq!(last["commands"], begun, "{name} cut at {cut}");
            let printed = some.iter().filter(|line| line["kind"] == "command").count();
            assert_eq!(printed as u64, begun, "{name} cut at {cut}: not every command is printed");
        }
    }
}
