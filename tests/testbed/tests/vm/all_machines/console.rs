//! The console that a guest's kernel shows before anything in it knows of Vulkan.

use crate::common::{PATIENCE, Place, steady};
use testbed::vm::holds_within;
use testbed::workspace;

/// What has to be seen of a kernel that says all that it does; its console has some fifty lines.
const LINES: usize = 10;

super::on_each_qemu! {
    steady:
    the_console_shows_text,
}

fn the_console_shows_text(place: &Place) {
    let mut session = place.machine("sleep 1000").screen().start().unwrap();
    session.wait_until("the job begins", |session| session.console().contains("the job begins")).unwrap();
    let lines = || session.screenshot().map_or(0, |picture| picture.text_lines());
    let seen = holds_within(PATIENCE, || lines() >= LINES);
    if let Some(picture) = session.screenshot() {
        let file = format!("target/vm/console-{}.png", place.qemu());
        picture.write_png(&workspace().join(file)).unwrap();
    }
    assert!(seen, "QEMU's window shows {} lines of text", lines());
}
