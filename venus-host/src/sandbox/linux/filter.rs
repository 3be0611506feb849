//! The rows of [`calls`](super::calls) as filters of system calls.
//!
//! Filters add up, and the strictest answer counts. So each is of one kind: what is refused in any sandbox, what is answered
//! as if the kernel were older, and, in a strict sandbox, what is not allowed. For calls that are allowed whatever their
//! arguments are, kernels remember that and run no filter (since Linux 5.11).

#![expect(unsafe_code, reason = "the question whether there are filters is a system call")]

use std::collections::{BTreeMap, BTreeSet};

use libc::{ENOSYS, EPERM, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter_all_threads,
};

use super::{
    calls::{ALLOWED, Call, Form, Group, REFUSED, UNKNOWN_TO_OLD_KERNELS},
    family::Family,
};

/// Rules by the number of their call.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Has the system refuse calls to all threads of this process, of which `own` is the number.
pub(super) fn apply(is_strict: bool, families: &BTreeSet<Family>, own: u32) -> Result<(), String> {
    for program in programs(is_strict, families, own)? {
        apply_filter_all_threads(&program).map_err(|error| format!("system calls are not filtered: {error}"))?;
    }
    Ok(())
}

/// Whether this kernel has filters that send signals, or why not.
pub(super) fn is_there() -> Result<(), String> {
    let action = libc::SECCOMP_RET_TRAP;
    // SAFETY: the call answers a question about a number, which is a local.
    let outcome = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0_u32, &raw const action) };
    match outcome {
        0 => Ok(()),
        _ => Err(format!("this kernel does not filter system calls (seccomp): {}", std::io::Error::last_os_error())),
    }
}

/// The filters, in the order in which they are taken on.
fn programs(is_strict: bool, families: &BTreeSet<Family>, own: u32) -> Result<Vec<BpfProgram>, String> {
    let refused = |is_told| rules(REFUSED.iter().filter(|group| group.is_told == is_told), families, own);
    let unknown = Rules::from([(UNKNOWN_TO_OLD_KERNELS, Vec::new())]);
    let mut programs = vec![
        program(refused(true)?, SeccompAction::Allow, SeccompAction::Trap)?,
        program(refused(false)?, SeccompAction::Allow, SeccompAction::Errno(EPERM.unsigned_abs()))?,
        program(unknown, SeccompAction::Allow, SeccompAction::Errno(ENOSYS.unsigned_abs()))?,
    ];
    #[cfg(target_arch = "x86_64")]
    programs.push(other_numbers::refused());
    if is_strict {
        programs.push(program(rules(ALLOWED.iter(), families, own)?, SeccompAction::Trap, SeccompAction::Allow)?);
    }
    Ok(programs)
}

fn program(rules: Rules, otherwise: SeccompAction, action: SeccompAction) -> Result<BpfProgram, String> {
    let architecture = std::env::consts::ARCH.try_into().map_err(|error| format!("{error}"))?;
    let filter = SeccompFilter::new(rules, otherwise, action, architecture).map_err(|error| error.to_string())?;
    BpfProgram::try_from(filter).map_err(|error| error.to_string())
}

fn rules<'a>(groups: impl Iterator<Item = &'a Group>, families: &BTreeSet<Family>, own: u32) -> Result<Rules, String> {
    let mut rules = Rules::new();
    let mut whole = BTreeSet::<c_long>::new();
    for call in groups.filter(|group| families.contains(&group.family)).flat_map(|group| group.calls) {
        let forms = of_call(call, own).map_err(|error| error.to_string())?;
        if forms.is_empty() {
            whole.insert(call.number);
        }
        rules.entry(call.number).or_default().extend(forms);
    }
    // No rule means any form, so one form beside it would narrow it.
    for (_, forms) in rules.iter_mut().filter(|(number, _)| whole.contains(number)) {
        forms.clear();
    }
    Ok(rules)
}

/// The rules of which one has to hold for the call to be meant; none, if it is meant in any form.
fn of_call(call: &Call, own: u32) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let is = |argument, operator, value: u32| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value.into())
    };
    Ok(match call.form {
        Form::Any => Vec::new(),
        Form::Masked(argument, mask, value) => {
            vec![SeccompRule::new(vec![is(argument, SeccompCmpOp::MaskedEq(mask.into()), value)?])?]
        }
        Form::MaskedBut(argument, mask, value, but) => {
            let family = is(argument, SeccompCmpOp::MaskedEq(mask.into()), value);
            let others = but.iter().map(|value| is(argument, SeccompCmpOp::Ne, *value));
            vec![SeccompRule::new(std::iter::once(family).chain(others).collect::<Result<_, _>>()?)?]
        }
        Form::With(argument, value, of, bits) => {
            let both = vec![is(argument, SeccompCmpOp::Eq, value)?, is(of, SeccompCmpOp::MaskedEq(bits.into()), bits)?];
            vec![SeccompRule::new(both)?]
        }
        Form::Not(argument, value) => vec![SeccompRule::new(vec![is(argument, SeccompCmpOp::Ne, value)?])?],
        Form::OneOf(argument, values) => {
            let rule = |value: &u32| SeccompRule::new(vec![is(argument, SeccompCmpOp::Eq, *value)?]);
            values.iter().map(rule).collect::<Result<_, _>>()?
        }
        Form::OfOthers(argument) => vec![SeccompRule::new(vec![is(argument, SeccompCmpOp::Ne, own)?])?],
        Form::OfOthersOrNone(argument) => {
            let others = vec![is(argument, SeccompCmpOp::Ne, own)?, is(argument, SeccompCmpOp::Ne, 0)?];
            vec![SeccompRule::new(others)?]
        }
    })
}

/// The x32 numbers of system calls, which have a bit that a comparison with the usual ones would miss.
#[cfg(target_arch = "x86_64")]
mod other_numbers {
    use seccompiler::{BpfProgram, sock_filter};

    /// `__X32_SYSCALL_BIT`.
    const BIT: u32 = 0x4000_0000;

    /// `BPF_LD | BPF_W | BPF_ABS`, `BPF_JMP | BPF_JGE | BPF_K`, `BPF_RET | BPF_K`; where the number is; two answers.
    const LOAD: u16 = 0x20;
    const JUMP_IF_NOT_LESS: u16 = 0x35;
    const ANSWER: u16 = 0x06;
    const NUMBER: u32 = 0;
    const TRAP: u32 = 0x0003_0000;
    const ALLOW: u32 = 0x7fff_0000;

    pub(super) fn refused() -> BpfProgram {
        let plain = |code, k| sock_filter { code, jt: 0, jf: 0, k };
        vec![
            plain(LOAD, NUMBER),
            sock_filter { code: JUMP_IF_NOT_LESS, jt: 0, jf: 1, k: BIT },
            plain(ANSWER, TRAP),
            plain(ANSWER, ALLOW),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_is_a_filter_of_no_more_steps_than_kernels_take() {
        /// `BPF_MAXINSNS`.
        const MOST: usize = 4096;
        for is_strict in [false, true] {
            for family in Family::ALL {
                let programs = programs(is_strict, &[Family::Every, family].into(), 7).unwrap();
                assert!(programs.iter().all(|program| !program.is_empty() && program.len() <= MOST), "{family:?}");
            }
        }
    }

    #[test]
    fn a_call_that_is_meant_in_any_form_is_not_narrowed() {
        const fn group(family: Family, calls: &'static [Call]) -> Group {
            Group { family, why: "", calls, is_told: true }
        }
        const GROUPS: &[Group] = &[
            group(Family::Every, &[Call { number: 1, form: Form::Not(0, 1) }]),
            group(Family::Every, &[Call { number: 1, form: Form::Any }]),
            group(Family::Nvidia, &[Call { number: 2, form: Form::Any }]),
        ];
        let rules = rules(GROUPS.iter(), &[Family::Every].into(), 7).unwrap();
        assert_eq!(rules.into_iter().collect::<Vec<_>>(), [(1, Vec::new())]);
    }
}
