//! Each job once, for a counter of instructions to watch.

use std::hint::black_box;

use anyhow::{Context as _, Result, ensure};

use crate::{Job, codec, trips};

/// Bytes of requests that instructions are counted of: enough for all variants of most commands.
const COUNTED_BYTES: usize = 64 << 10;

/// Does each job once, and says which it was.
///
/// # Errors
///
/// A job cannot be done.
pub fn perform(say: &mut dyn FnMut(&str)) -> Result<()> {
    let mut once = |job: Job<'_>| -> Result<()> {
        job.work.prepare()?;
        ensure!(job.work.pass() > 0, "{} of {} is no work", job.kind, job.name);
        job.work.prepare()?;
        watched(&mut || {
            black_box(job.work.pass());
        });
        say(&format!("{} {} {}", job.kind, job.commands, job.name));
        Ok(())
    };
    codec(COUNTED_BYTES, &mut once).context("the codec")?;
    trips(&mut once).context("ways through the host")
}

/// What a counter of instructions watches: it knows the function by its name, [`crate::callgrind::WATCHED`].
#[inline(never)]
fn watched(work: &mut dyn FnMut()) {
    work();
    // Keeps the call above from becoming a jump.
    black_box(());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use std::collections::BTreeSet;

    #[test]
    fn all_work_can_be_done_and_has_a_name_of_its_own() {
        let mut said = Vec::new();
        perform(&mut |line| said.push(line.to_owned())).unwrap();
        for kind in Kind::ALL {
            assert!(said.iter().any(|line| line.starts_with(kind.word())), "{kind}: {said:?}");
        }
        assert_eq!(said.iter().collect::<BTreeSet<_>>().len(), said.len(), "{said:?}");
    }
}
