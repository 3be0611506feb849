//! The guest's programs, to the last pixel and number.

use crate::common::{guest, host};
use venus_guest::programs;

#[test]
fn the_device_has_a_name() {
    let Some(server) = host("the_device_has_a_name") else {
        return;
    };
    let info = programs::info(guest(&server)).unwrap();
    assert!(!info.device_name.is_empty());
    assert_eq!(info.xml_version, venus_protocol::Level::NEWEST.xml_version());
    assert!(info.extensions > 0 && info.extensions <= venus_protocol::EXTENSIONS.len());
}

#[test]
fn the_triangle_is_drawn() {
    let Some(server) = host("the_triangle_is_drawn") else {
        return;
    };
    programs::triangle(guest(&server), 200).unwrap().check_triangle().unwrap();
}

#[test]
fn both_sides_see_what_the_other_writes() {
    let Some(server) = host("both_sides_see_what_the_other_writes") else {
        return;
    };
    assert_eq!(programs::compute(guest(&server)).unwrap(), 16_384);
}
