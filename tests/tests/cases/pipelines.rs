//! Pipelines that cannot be made, and more of them at a time than usual.

use crate::common::{BOTH, as_natively, content, rows};

rows! {
    a_pipeline_that_cannot_be_made_is_destroyed: BOTH, &["pipeline-destroy"];
    two_of_three_pipelines_work: BOTH, &["pipeline-three"];
    a_fresh_thread_is_told_of_a_refusal: BOTH, &["pipeline-fresh"];
    pipelines_may_not_be_compiled_now: BOTH, &["pipeline-early-0"];
    pipelines_may_not_be_compiled_now_and_the_first_ends_it: BOTH, &["pipeline-early-1"];
    three_hundred_threads_make_pipelines: BOTH, &["pipeline-threads"];
    a_cache_begins_with_300_mib: BOTH, &["pipeline-cache-data"];
}

#[test]
fn a_fresh_thread_is_told_which_of_three_cannot_be_made() {
    let name = "a_fresh_thread_is_told_which_of_three_cannot_be_made";
    let Some((said, _)) = as_natively(name, BOTH, &["pipeline-three-fresh"]) else { return };
    assert_eq!(said, "OK error -13, handles 1 0 1");
}

/// Only what uses the pipeline is missing, and one line of the log names its creation and the driver's answer.
fn used_all_the_same(name: &str, case: &str) {
    let Some((_, log)) = content(name, BOTH, &[case]) else { return };
    let told =
        |line: &str| line.contains("is of no use: vkCreateComputePipelines") && line.contains("VK_ERROR_UNKNOWN");
    assert_eq!(log.lines().filter(|line| told(line)).count(), 1, "{log}");
}

#[test]
fn a_pipeline_that_cannot_be_made_is_recorded() {
    used_all_the_same("a_pipeline_that_cannot_be_made_is_recorded", "pipeline-record");
}

#[test]
fn a_pipeline_that_cannot_be_made_is_submitted() {
    used_all_the_same("a_pipeline_that_cannot_be_made_is_submitted", "pipeline-submit");
}

#[test]
fn a_pipeline_is_derived_from_one_that_cannot_be_made() {
    used_all_the_same("a_pipeline_is_derived_from_one_that_cannot_be_made", "pipeline-derive");
}
