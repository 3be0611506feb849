//! What newer levels of the protocol bring, on a driver that has it: the one of the newer guest's root.

use crate::common::on_its_own_driver;

/// As natively, or not offered.
fn right_or_not_offered(name: &str, case: &str) {
    let Some((native, ours)) = on_its_own_driver(name, &[case]) else { return };
    assert!(ours == native || ours.starts_with("SKIP not supported: "), "{ours}; natively {native}");
}

/// A test for each row: its name, and the case.
macro_rules! rows {
    ($($test:ident: $case:literal;)*) => {
        $(#[test]
        fn $test() {
            right_or_not_offered(stringify!($test), $case);
        })*
    };
}

rows! {
    meshes_are_drawn: "mesh-draw";
    tasks_have_meshes_drawn: "mesh-tasks";
    a_buffer_has_meshes_drawn: "mesh-indirect";
    a_buffer_counts_draws_of_meshes: "mesh-indirect-count";
    descriptors_are_found_in_heaps: "heap";
    slices_of_an_image_are_written: "slices";
    nothing_is_written_beyond_a_range: "beyond-a-range";
    pointers_need_no_type: "untyped";
    cooperative_matrices_are_multiplied: "matrix";
}
