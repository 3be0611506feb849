//! The rows of [`calls`](super::calls) as one filter of system calls.
//!
//! Several things are said of a call: whether it is refused in any sandbox, whether it is answered as if the kernel were
//! older, and, in a strict sandbox, whether it is allowed. The strictest counts, as if each were a filter of its own: a
//! signal before an error before leave. For calls that are allowed whatever their arguments are, kernels remember that and
//! run no filter (since Linux 5.11).

#![expect(unsafe_code, reason = "the question whether there are filters is a system call")]

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
};

use libc::{ENOSYS, EPERM, c_int, c_long};

use super::{
    calls::{ALLOWED, Call, Form, Group, REFUSED, UNKNOWN_TO_OLD_KERNELS},
    family::Family,
    program::{Condition, Decision, Program, Verdict},
};

/// From here on are the numbers of x32, which has calls that are refused by other numbers (`__X32_SYSCALL_BIT`).
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

/// What is meant of calls: any of several sets of conditions that hold together. Without a condition all calls are.
type Meant = Vec<Vec<Condition>>;

/// Has the system refuse calls to all threads of this process, of which `own` is the number.
pub(super) fn apply(is_strict: bool, families: &BTreeSet<Family>, own: u32) -> Result<(), String> {
    let program = Program::new(decisions(is_strict, families, own)?);
    program.and_then(|program| program.install()).map_err(|error| format!("system calls are not filtered: {error}"))
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

/// What becomes of calls, each for the numbers from its own on.
fn decisions(is_strict: bool, families: &BTreeSet<Family>, own: u32) -> Result<BTreeMap<u32, Decision>, String> {
    let rows = |groups: &'static [Group]| groups.iter().filter(|group| families.contains(&group.family));
    let calls = |groups| rows(groups).flat_map(|group| group.calls);
    let numbers: BTreeSet<c_long> =
        calls(REFUSED).chain(calls(ALLOWED)).map(|call| call.number).chain([UNKNOWN_TO_OLD_KERNELS]).collect();
    let others = if is_strict { Verdict::Trap } else { Verdict::Allow };
    let mut decisions = BTreeMap::from([(0, Decision::always(others))]);
    for number in numbers {
        let refused = |is_told| meant(rows(REFUSED).filter(|group| group.is_told == is_told), number, own);
        let unknown = if number == UNKNOWN_TO_OLD_KERNELS { vec![Vec::new()] } else { Meant::new() };
        let failing = [(EPERM, refused(false)), (ENOSYS, unknown)];
        let allowed = if is_strict { meant(rows(ALLOWED), number, own) } else { vec![Vec::new()] };
        let number = u32::try_from(number).map_err(|error| error.to_string())?;
        decisions.insert(number, decision(refused(true), &allowed, &failing)?);
        decisions.entry(number.saturating_add(1)).or_insert_with(|| Decision::always(others));
    }
    #[cfg(target_arch = "x86_64")]
    decisions.insert(X32, Decision::always(Verdict::Trap));
    Ok(decisions)
}

/// What becomes of the calls of a number. Those that are trapped or not allowed are so whatever else is said of them.
fn decision(trapped: Meant, allowed: &Meant, failing: &[(c_int, Meant)]) -> Result<Decision, String> {
    let mut rules: Vec<_> = trapped.into_iter().map(|conditions| (conditions, Verdict::Trap)).collect();
    for conditions in allowed {
        for (error, meant) in failing {
            let verdict = Verdict::Fail(error.unsigned_abs().try_into().map_err(|_| "an error has a large number")?);
            rules.extend(meant.iter().map(|also| ([&**conditions, &**also].concat(), verdict)));
        }
        rules.push((conditions.clone(), Verdict::Allow));
    }
    // What comes behind one that always holds is never reached.
    let otherwise = match rules.iter().position(|(conditions, _)| conditions.is_empty()) {
        Some(last) => rules.drain(last..).next().map_or(Verdict::Trap, |(_, verdict)| verdict),
        None => Verdict::Trap,
    };
    Ok(Decision { rules, otherwise })
}

/// What of a number's calls these rows mean.
fn meant<'a>(groups: impl Iterator<Item = &'a Group>, number: c_long, own: u32) -> Meant {
    groups
        .flat_map(|group| group.calls)
        .filter(|call| call.number == number)
        .flat_map(|call| of_call(call, own))
        .collect()
}

/// The conditions of a row.
fn of_call(call: &Call, own: u32) -> Meant {
    let masked = |argument, mask, value| Condition { argument, mask, value, is_value: true };
    let is = |argument, value| masked(argument, u32::MAX, value);
    let is_not = |argument, value| Condition { is_value: false, ..is(argument, value) };
    match call.form {
        Form::Any => vec![Vec::new()],
        Form::Masked(argument, mask, value) => vec![vec![masked(argument, mask, value)]],
        Form::MaskedBut(argument, mask, value, but) => {
            let others = but.iter().map(|value| is_not(argument, *value));
            vec![iter::once(masked(argument, mask, value)).chain(others).collect()]
        }
        Form::With(argument, value, of, bits) => vec![vec![is(argument, value), masked(of, bits, bits)]],
        Form::Not(argument, value) => vec![vec![is_not(argument, value)]],
        Form::OneOf(argument, values) => values.iter().map(|value| vec![is(argument, *value)]).collect(),
        Form::OfOthers(argument) => vec![vec![is_not(argument, own)]],
        Form::OfOthersOrNone(argument) => vec![vec![is_not(argument, own), is_not(argument, 0)]],
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::program::tests::{length, of_this_machine},
        *,
    };

    const TRAP: u32 = 0x0003_0000;
    const FAIL: u32 = 0x0005_0000;
    const ALLOW: u32 = 0x7fff_0000;

    /// The number of the process in these tests.
    const OWN: u32 = 77;

    /// Whether a form is meant by a call, by its words.
    fn holds(form: Form, arguments: [u64; 6]) -> bool {
        let at = |index: u8| arguments[usize::from(index)] as u32;
        match form {
            Form::Any => true,
            Form::Masked(index, mask, value) => at(index) & mask == value,
            Form::MaskedBut(index, mask, value, but) => at(index) & mask == value && !but.contains(&at(index)),
            Form::With(index, value, of, bits) => at(index) == value && at(of) & bits == bits,
            Form::Not(index, value) => at(index) != value,
            Form::OneOf(index, values) => values.contains(&at(index)),
            Form::OfOthers(index) => at(index) != OWN,
            Form::OfOthersOrNone(index) => ![OWN, 0].contains(&at(index)),
        }
    }

    /// The strictest of what the rows say, each by itself.
    fn by_rows(is_strict: bool, families: &BTreeSet<Family>, number: u32, arguments: [u64; 6]) -> u32 {
        let number = c_long::from(number);
        let is_meant = |group: &&Group| {
            families.contains(&group.family)
                && group.calls.iter().any(|call| call.number == number && holds(call.form, arguments))
        };
        let refused = REFUSED.iter().filter(is_meant).map(|group| if group.is_told { TRAP } else { FAIL | 1 });
        let unknown = (number == libc::SYS_clone3).then_some(FAIL | 38);
        let is_of_x32 = cfg!(target_arch = "x86_64") && number >= 0x4000_0000;
        let foreign = (is_of_x32 || is_strict && !ALLOWED.iter().any(|group| is_meant(&group))).then_some(TRAP);
        // Smaller is stricter to the kernel, too; of two errors the number does not matter.
        refused.chain(unknown).chain(foreign).min().unwrap_or(ALLOW)
    }

    /// Arguments, and values that make a difference in them.
    fn differences(number: u32) -> BTreeMap<u8, BTreeSet<u32>> {
        let mut found = BTreeMap::<u8, BTreeSet<u32>>::new();
        let mut add = |index: u8, values: &[u32]| {
            let around = values.iter().flat_map(|value| [*value, value ^ 1, value | 0x8_0800, value.wrapping_add(1)]);
            found.entry(index).or_default().extend(around.chain([0, 1, OWN, u32::MAX]));
        };
        let calls = REFUSED.iter().chain(ALLOWED).flat_map(|group| group.calls);
        for call in calls.filter(|call| call.number == c_long::from(number)) {
            match call.form {
                Form::Any => {}
                Form::Masked(index, mask, value) => add(index, &[value, value | !mask]),
                Form::MaskedBut(index, mask, value, but) => add(index, &[&[value, value | !mask], but].concat()),
                Form::With(index, value, of, bits) => {
                    add(index, &[value]);
                    add(of, &[bits]);
                }
                Form::Not(index, value) => add(index, &[value]),
                Form::OneOf(index, values) => add(index, values),
                Form::OfOthers(index) | Form::OfOthersOrNone(index) => add(index, &[]),
            }
        }
        found
    }

    /// All combinations of these, with and without something in the upper halves.
    fn arguments(differences: &BTreeMap<u8, BTreeSet<u32>>) -> Vec<[u64; 6]> {
        let mut all = vec![[0; 6], [0x1_0000_0000; 6]];
        for (index, values) in differences {
            let with = |arguments: &[u64; 6], value: u32| {
                let mut arguments = *arguments;
                arguments[usize::from(*index)] |= u64::from(value);
                arguments
            };
            all = all
                .iter()
                .flat_map(|before| values.iter().map(|value| with(before, *value)).collect::<Vec<_>>())
                .collect();
        }
        all
    }

    #[test]
    fn the_program_decides_as_the_rows_say() {
        let numbers = (0..600).chain([0x3fff_ffff, 0x4000_0000, 0x4000_0000 + 59, u32::MAX]);
        let cases: Vec<_> = numbers.map(|number| (number, arguments(&differences(number)))).collect();
        assert!(cases.iter().any(|(_, arguments)| arguments.len() > 100), "no row has a form");
        for is_strict in [false, true] {
            for family in Family::ALL {
                let families = [Family::Every, family].into();
                let program = Program::new(decisions(is_strict, &families, OWN).unwrap()).unwrap();
                for (number, arguments) in &cases {
                    for arguments in arguments {
                        let said = of_this_machine(&program, *number, *arguments).0;
                        let meant = by_rows(is_strict, &families, *number, *arguments);
                        assert_eq!(said, meant, "{number} with {arguments:x?} for {family:?}, strict: {is_strict}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_policy_is_a_filter_that_kernels_take_and_are_soon_done_with() {
        /// `BPF_MAXINSNS`.
        const MOST: usize = 4096;
        /// Of a call that is decided by its number.
        const STEPS: usize = 20;
        for is_strict in [false, true] {
            for family in Family::ALL {
                let program =
                    Program::new(decisions(is_strict, &[Family::Every, family].into(), OWN).unwrap()).unwrap();
                assert!(length(&program) <= MOST, "{family:?}");
                for number in (0..600).filter(|number| differences(*number).is_empty()) {
                    let (_, steps) = of_this_machine(&program, number, [0; 6]);
                    assert!(steps <= STEPS, "{steps} steps for {number}");
                }
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
            group(Family::Every, &[Call { number: 2, form: Form::Not(0, 1) }]),
        ];
        let decided = |number| decision(meant(GROUPS.iter(), number, 7), &vec![Vec::new()], &[]).unwrap();
        assert_eq!((decided(1).otherwise, decided(2).otherwise), (Verdict::Trap, Verdict::Allow));
        assert_eq!(decided(3), Decision::always(Verdict::Allow));
    }
}
