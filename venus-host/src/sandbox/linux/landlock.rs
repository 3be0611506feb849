//! Rules of Landlock: which files can be opened, and nothing else of what newer versions of it know.

#![expect(unsafe_code, reason = "the question for the version is a system call that the crate keeps to itself")]

use std::{io, path::PathBuf, ptr};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, Scope,
};

use super::places::Access;

/// The version that all of this was tested with. Of older ones, kernels do what they can.
const VERSION: ABI = ABI::V7;

/// Has this thread, and those that it starts from now on, open these files and folders only.
pub(super) fn restrict(rules: &[(PathBuf, Access)]) -> Result<(), String> {
    restrict_to(rules).map_err(|error| format!("files are not kept from it: {error}"))
}

fn restrict_to(rules: &[(PathBuf, Access)]) -> Result<(), RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(AccessNet::from_all(VERSION))?
        .scope(Scope::from_all(VERSION))?
        .create()?;
    for (path, access) in rules {
        // What is not there, or may not be used in any case, takes no rule.
        let Ok(opened) = PathFd::new(path) else { continue };
        let rights = rights(*access, path.is_dir());
        if !rights.is_empty() {
            ruleset = ruleset.add_rule(PathBeneath::new(opened, rights))?;
        }
    }
    ruleset.restrict_self().map(drop)
}

fn rights(access: Access, is_folder: bool) -> BitFlags<AccessFs> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let rights = match access {
        Access::Read => read,
        Access::Device => read | AccessFs::WriteFile | AccessFs::IoctlDev,
        Access::Name => AccessFs::MakeReg.into(),
        Access::Write => {
            let files = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
            read | files | AccessFs::MakeDir | AccessFs::RemoveDir | AccessFs::Refer
        }
    };
    if is_folder { rights } else { rights & AccessFs::from_file(VERSION) }
}

/// Which version this kernel has, or why it has none.
pub(super) fn version() -> Result<u32, String> {
    /// `LANDLOCK_CREATE_RULESET_VERSION`.
    const ASK: u32 = 1;
    // SAFETY: without a structure and with this flag the call answers a question.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u8>(), 0_usize, ASK) };
    if version > 0 {
        return Ok(u32::try_from(version).unwrap_or(u32::MAX));
    }
    let error = io::Error::last_os_error();
    Err(match error.raw_os_error() {
        Some(libc::ENOSYS) => "this kernel has no Landlock (Linux 5.13 with CONFIG_SECURITY_LANDLOCK has)".to_owned(),
        Some(libc::EOPNOTSUPP) => "Landlock is off (the kernel's parameter lsm= has to name it)".to_owned(),
        _ => format!("Landlock cannot be used: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_no_rights_of_folders() {
        for access in [Access::Read, Access::Device, Access::Name, Access::Write] {
            assert!(!rights(access, false).intersects(AccessFs::ReadDir | AccessFs::MakeReg));
            assert_eq!(rights(access, true).contains(AccessFs::ReadDir), access != Access::Name);
        }
        assert!(!rights(Access::Device, true).contains(AccessFs::MakeReg));
        assert!(!rights(Access::Read, true).intersects(AccessFs::WriteFile | AccessFs::Execute | AccessFs::IoctlDev));
    }
}
