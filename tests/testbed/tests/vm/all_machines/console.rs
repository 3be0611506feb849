//! The console that a guest's kernel shows before anything in it knows of Vulkan.

use crate::common::{PATIENCE, steady};
use testbed::vm::holds_within;
use testbed::workspace;

/// What has to be seen of a kernel that says all that it does; its console has some fifty lines.
const LINES: usize = 10;

#[test]
fn the_console_shows_text() {
    let Some(place) = steady("the_console_shows_text") else { return };
    let mut session = place.machine("sleep 1000").screen().start().unwrap();
    session.wait_until("the job begins", |session| session.console().contains("the job begins")).unwrap();
    let lines = || session.screenshot().map_or(0, |picture| picture.text_lines());
    let seen = holds_within(PATIENCE, || lines() >= LINES);
    if let Some(picture) = session.screenshot() {
        picture.write_png(&workspace().join("target/vm/console.png")).unwrap();
    }
    assert!(seen, "QEMU's window shows {} lines of text", lines());
}
