//! What newer levels of the protocol bring, on a driver that has it: the one of the newer guest's root. Where a case runs
//! natively, it has to run through the host.

use crate::common::{SID, guest, on_its_own_driver, on_its_own_driver_by};

/// Exactly as natively; a case that skips itself through the host alone fails.
fn as_there(name: &str, case: &str) {
    if let Some((native, ours)) = on_its_own_driver(name, &[case]) {
        assert_eq!(ours, native, "{case}");
    }
}

/// The same from Mesa 26.3 on. Older guests know nothing of the last names: whatever a host offers, they do not tell their
/// applications of it.
fn as_there_from_mesa_26_3_on(name: &str, case: &str) {
    let Some((native, ours)) = on_its_own_driver(name, &[case]) else { return };
    let version = guest(name, SID[0]).and_then(|guest| guest.mesa_version()).expect("the guest has Mesa");
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().expect("a version is of numbers"));
    if (numbers.next(), numbers.next()) >= (Some(26), Some(3)) {
        assert_eq!(ours, native, "{case}");
    } else {
        assert!(ours.starts_with("SKIP not supported: VK_"), "{ours}, with Mesa {version}");
    }
}

/// A test for each row: its name, and the case.
macro_rules! rows {
    ($by:ident: $($test:ident: $case:literal;)*) => {
        $(#[test]
        fn $test() {
            $by(stringify!($test), $case);
        })*
    };
}

rows! {
    as_there:
    meshes_are_drawn: "mesh-draw";
    tasks_have_meshes_drawn: "mesh-tasks";
    a_buffer_has_meshes_drawn: "mesh-indirect";
    a_buffer_counts_draws_of_meshes: "mesh-indirect-count";
    cooperative_matrices_are_multiplied: "matrix";
    descriptors_are_found_in_heaps: "heap";
    samplers_in_heaps_have_borders: "heap-border";
    heaps_are_inherited: "heap-secondary";
    bindings_are_found_everywhere: "heap-sources";
    pixels_are_sampled_more_often_than_their_image: "single-sampled";
    slices_of_an_image_are_written: "slices";
    nothing_is_written_beyond_a_range: "beyond-a-range";
    pointers_need_no_type: "untyped";
}

rows! {
    as_there_from_mesa_26_3_on:
    strips_begin_anew_at_any_index: "restart-index";
    renderings_end_by_a_newer_command: "end-rendering";
    colours_become_depths: "depth-copy";
    a_buffer_says_what_is_copied: "copy-indirect";
    memory_is_zero_from_the_start: "zeroed-memory";
    queries_are_reset_from_the_start: "reset-queries";
}

/// What the host does not serve is not supported, and nothing worse.
#[test]
fn at_an_older_level_there_is_none_of_it() {
    let name = "at_an_older_level_there_is_none_of_it";
    for (case, extension) in [
        ("mesh-draw", "VK_EXT_mesh_shader"),
        ("matrix", "VK_KHR_cooperative_matrix"),
        ("heap", "VK_EXT_descriptor_heap"),
        ("beyond-a-range", "VK_KHR_robustness2"),
    ] {
        let Some((_, ours)) = on_its_own_driver_by(name, &["--protocol", "433"], &[case]) else { return };
        assert_eq!(ours, format!("SKIP not supported: {extension}"));
    }
}
