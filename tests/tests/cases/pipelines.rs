//! Pipelines that cannot be made, and more of them at a time than usual.

use crate::common::{BOTH, rows};

rows! {
    a_fresh_thread_is_told_of_a_refusal: BOTH, &["pipeline-fresh"];
    pipelines_may_not_be_compiled_now: BOTH, &["pipeline-early-0"];
    pipelines_may_not_be_compiled_now_and_the_first_ends_it: BOTH, &["pipeline-early-1"];
}
