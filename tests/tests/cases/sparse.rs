//! Sparse resources, on a driver that has them: the one of the newer guest's root.

use crate::common::on_its_own_driver;

/// As natively, or not offered.
fn right_or_not_offered(name: &str, case: &str) {
    let Some((native, ours)) = on_its_own_driver(name, &[case]) else { return };
    assert!(ours == native || ours == "SKIP sparse binding is not offered", "{ours}; natively {native}");
}

#[test]
fn memory_that_can_be_mapped_in_a_sparse_buffer() {
    right_or_not_offered("memory_that_can_be_mapped_in_a_sparse_buffer", "sparse-buffer");
}

#[test]
fn memory_that_can_be_mapped_in_a_sparse_image() {
    right_or_not_offered("memory_that_can_be_mapped_in_a_sparse_image", "sparse-image");
}
