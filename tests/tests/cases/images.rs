//! Large copies, on a driver that has them: the one of the newer guest's root.

use crate::common::on_its_own_driver;

/// Exactly as natively.
fn as_there(name: &str, side: &str) {
    if let Some((native, ours)) = on_its_own_driver(name, &["image-copy", side]) {
        assert_eq!(ours, native);
    }
}

#[test]
fn a_quarter_of_a_gigabyte_of_texels() {
    as_there("a_quarter_of_a_gigabyte_of_texels", "8192");
}

#[test]
fn a_gigabyte_of_texels() {
    as_there("a_gigabyte_of_texels", "16384");
}
