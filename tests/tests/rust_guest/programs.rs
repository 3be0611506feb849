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
    assert_eq!(info.xml_version, venus_protocol::XML_VERSION);
    assert!(info.extensions > 0 && info.extensions <= venus_protocol::EXTENSIONS.len());
}

#[test]
fn the_triangle_is_drawn() {
    let Some(server) = host("the_triangle_is_drawn") else {
        return;
    };
    let size = 200;
    let image = programs::triangle(guest(&server), size).unwrap();
    let pixel = |x, y| image.pixel(x, y).unwrap();
    let background = pixel(0, 0);
    for (x, y) in [(199, 0), (0, 199), (199, 199), (100, 10), (20, 60), (180, 60)] {
        assert_eq!(pixel(x, y), background, "({x}, {y}) is outside");
    }
    // Near each corner its own colour is the strongest.
    let strongest =
        |[r, g, b, _]: [u8; 4]| [r, g, b].into_iter().enumerate().max_by_key(|(_, value)| *value).unwrap().0;
    assert_eq!([pixel(100, 32), pixel(172, 166), pixel(28, 166)].map(strongest), [0, 1, 2]);
    let [r, g, b, a] = pixel(100, 123);
    assert!(r > 100 && g > 100 && b > 100 && a == 255, "the middle is a mixture, not {r} {g} {b} {a}");
}

#[test]
fn both_sides_see_what_the_other_writes() {
    let Some(server) = host("both_sides_see_what_the_other_writes") else {
        return;
    };
    assert_eq!(programs::compute(guest(&server)).unwrap(), 16_384);
}
