//! Recordings run again, without their guest, on the kind of driver that they were made on.

use crate::common::{fixtures, lavapipe_host};
use std::path::Path;
use std::time::Duration;
use testbed::picture::Picture;
use testbed::process::{Finished, Running, tethered};

/// Longest that one recording may take, on a loaded machine and with an unoptimised host.
const LIMIT: Duration = Duration::from_secs(120);

/// What makes a replay use the driver that the recordings in the repository were made on.
const LAVAPIPE: [&str; 2] = ["--gpu", "llvmpipe"];

/// `venus replay`. Status 0 says that all results, and the order of fences, were as recorded.
pub(crate) fn replay(host: &Path, recording: &Path, args: &[&str]) -> Finished {
    let mut command = tethered(host);
    command.arg("replay").args(args).arg(recording);
    Running::start(&mut command, LIMIT).unwrap().finish().unwrap()
}

#[test]
fn every_recording_replays_on_lavapipe() {
    let Some(host) = lavapipe_host("every_recording_replays_on_lavapipe") else { return };
    for path in fixtures() {
        let run = replay(&host, &path, &LAVAPIPE).expect_success(&format!("{}", path.display())).unwrap();
        assert!(run.stdout.contains("all results are as recorded"), "{}", run.stdout);
    }
}

#[test]
fn a_recording_with_memory_draws_what_its_guest_drew() {
    let Some(host) = lavapipe_host("a_recording_with_memory_draws_what_its_guest_drew") else { return };
    let recordings = fixtures();
    let cube = recordings.iter().find(|path| path.ends_with("vkcube-3.venusrec")).expect("vkcube is recorded");
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().to_str().expect("a temporary folder has a plain name");
    replay(&host, cube, &[&LAVAPIPE[..], &["--images", images]].concat()).expect_success("vkcube").unwrap();
    let mut pictures: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    pictures.sort();
    assert_eq!(pictures.len(), 3, "one for each frame: {pictures:?}");
    let pictures: Vec<Picture> = pictures.iter().map(|path| Picture::read_png(path).unwrap()).collect();
    for picture in &pictures {
        assert!(picture.shows_cube(), "{}", picture.describe());
    }
    assert!(pictures[0].difference(&pictures[2], 8) > 0.01, "the cube does not turn");
}
