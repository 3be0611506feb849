//! The standard programs, recorded now: by this host, of whatever the guest's Mesa sends today.

use crate::codec::check;
use crate::common::host_and_guest;
use crate::replay::replay;
use testbed::programs::Program;
use testbed::recorder::record;

#[test]
fn standard_programs_run_and_are_recorded_faithfully() {
    let name = "standard_programs_run_and_are_recorded_faithfully";
    let Some((host, guest)) = host_and_guest(name) else { return };
    let folder = tempfile::tempdir().unwrap();
    for program in Program::ALL {
        let recorded = record(&host, &guest, program, folder.path(), false).unwrap();
        let requests: usize = recorded.files.iter().map(|path| check(path).0).sum();
        assert_eq!(requests as u64, recorded.commands, "{}: the host counted otherwise", program.name());
        for path in &recorded.files {
            replay(&host, path, &[]).expect_success(&format!("replay of {}", program.name())).unwrap();
        }
    }
}
