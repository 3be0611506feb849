//! Decisions about system calls as a program of the kernel's filters (classic BPF).
//!
//! The kernel runs a new filter once for each number that there is, to learn which calls it allows whatever their arguments
//! are, and later for each call that is not one of those. So the program is a tree: it halves the numbers until one decision
//! is left, in seven or eight steps where a list of comparisons takes hundreds.

#![expect(unsafe_code, reason = "filters are taken on by a system call")]

use std::{collections::BTreeMap, mem::offset_of};

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW,
    SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP, seccomp_data, sock_filter, sock_fprog,
};

/// `AUDIT_ARCH_X86_64` and `AUDIT_ARCH_AARCH64`: whose numbers a call's is one of.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A signal in its place.
    Trap,
    /// It fails with this error.
    Fail(u16),
    Allow,
}

impl Verdict {
    fn code(self) -> u32 {
        match self {
            Self::Trap => SECCOMP_RET_TRAP,
            Self::Fail(error) => SECCOMP_RET_ERRNO | u32::from(error),
            Self::Allow => SECCOMP_RET_ALLOW,
        }
    }
}

/// Something about the lower half of an argument: whether, masked, it has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) argument: u8,
    pub(super) mask: u32,
    pub(super) value: u32,
    /// Or else that it has any other.
    pub(super) is_value: bool,
}

/// What becomes of the calls of one number: the verdict of the first conditions that hold all, or another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) rules: Vec<(Vec<Condition>, Verdict)>,
    pub(super) otherwise: Verdict,
}

impl Decision {
    /// The same for all calls.
    pub(super) const fn always(verdict: Verdict) -> Self {
        Self { rules: Vec::new(), otherwise: verdict }
    }
}

/// A program for the kernel.
#[derive(Debug)]
pub(super) struct Program(Vec<sock_filter>);

impl Program {
    /// What decides as `decisions` say, each for the numbers from its own on, up to the next. Calls by another
    /// architecture's numbers end the process.
    pub(super) fn new(decisions: BTreeMap<u32, Decision>) -> Result<Self, String> {
        let mut all: Vec<(u32, Decision)> = decisions.into_iter().collect();
        all.dedup_by(|next, before| next.1 == before.1);
        let mut steps = vec![
            load(offset_of!(seccomp_data, arch))?,
            jump(BPF_JEQ, ARCHITECTURE, 1, 0)?,
            answer(SECCOMP_RET_KILL_PROCESS)?,
            load(offset_of!(seccomp_data, nr))?,
        ];
        steps.extend(tree(&all)?);
        Ok(Self(steps))
    }

    /// Has all threads of this process keep to it from now on.
    pub(super) fn install(&self) -> Result<(), String> {
        // Without that only the privileged may, and restricting files may have failed to see to it.
        rustix::thread::set_no_new_privs(true).map_err(|error| error.to_string())?;
        let length = self.0.len().try_into().map_err(|_| "it is too long".to_owned())?;
        let program = sock_fprog { len: length, filter: self.0.as_ptr().cast_mut() };
        let (set, all_threads) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_TSYNC);
        // SAFETY: the kernel reads the structure and, behind its pointer, as many steps as it says; both live during the call.
        let outcome = unsafe { libc::syscall(libc::SYS_seccomp, set, all_threads, &raw const program) };
        match outcome {
            0 => Ok(()),
            thread @ 1.. => Err(format!("thread {thread} has a filter of its own")),
            _ => Err(std::io::Error::last_os_error().to_string()),
        }
    }
}

/// The steps from a number that is loaded to one of these decisions, each of which begins at a number.
fn tree(decisions: &[(u32, Decision)]) -> Result<Vec<sock_filter>, String> {
    let (lower, upper) = decisions.split_at(decisions.len() / 2);
    let ([_, ..], [(first, _), ..]) = (lower, upper) else {
        return decisions.first().map_or_else(|| Err("nothing was decided".to_owned()), |(_, only)| leaf(only));
    };
    let (first, lower, upper) = (*first, tree(lower)?, tree(upper)?);
    let mut steps = match u8::try_from(lower.len()) {
        Ok(_) => vec![jump(BPF_JGE, first, lower.len(), 0)?],
        // The way is too long for a step that also compares.
        Err(_) => vec![jump(BPF_JGE, first, 0, 1)?, step(BPF_JMP | BPF_JA, lower.len())?],
    };
    steps.extend(lower);
    steps.extend(upper);
    Ok(steps)
}

/// The steps of a decision.
fn leaf(decision: &Decision) -> Result<Vec<sock_filter>, String> {
    let mut steps = Vec::new();
    for (conditions, verdict) in &decision.rules {
        steps.extend(rule(conditions, *verdict)?);
    }
    steps.push(answer(decision.otherwise.code())?);
    Ok(steps)
}

/// The steps that answer if all of the conditions hold, and else come to what follows.
fn rule(conditions: &[Condition], verdict: Verdict) -> Result<Vec<sock_filter>, String> {
    // From the last, since each jumps over all that come after it.
    let mut steps = vec![answer(verdict.code())?];
    for (index, condition) in conditions.iter().enumerate().rev() {
        let after = steps.len();
        let mut next = Vec::new();
        let is_same = |before: &&Condition| (before.argument, before.mask) == (condition.argument, condition.mask);
        if index.checked_sub(1).and_then(|before| conditions.get(before)).filter(is_same).is_none() {
            let arguments = offset_of!(seccomp_data, args);
            next.push(load(
                arguments.saturating_add(usize::from(condition.argument).saturating_mul(size_of::<u64>())),
            )?);
            if condition.mask != u32::MAX {
                next.push(step(BPF_ALU | BPF_AND | BPF_K, condition.mask)?);
            }
        }
        let (holds, fails) = if condition.is_value { (0, after) } else { (after, 0) };
        next.push(jump(BPF_JEQ, condition.value, holds, fails)?);
        next.append(&mut steps);
        steps = next;
    }
    Ok(steps)
}

/// Loads the four bytes at an offset of `seccomp_data`: of a longer number its lower half, as all our systems are
/// little-endian.
fn load(offset: usize) -> Result<sock_filter, String> {
    step(BPF_LD | BPF_W | BPF_ABS, offset)
}

fn answer(verdict: u32) -> Result<sock_filter, String> {
    step(BPF_RET | BPF_K, verdict)
}

/// Compares with a value, and leaves out so many steps if that holds, and if not.
fn jump(comparison: u32, value: u32, holds: usize, fails: usize) -> Result<sock_filter, String> {
    let far = |_| "a jump is too long".to_owned();
    let (jt, jf) = (holds.try_into().map_err(far)?, fails.try_into().map_err(far)?);
    Ok(sock_filter { jt, jf, ..step(BPF_JMP | comparison | BPF_K, value)? })
}

fn step(code: u32, k: impl TryInto<u32>) -> Result<sock_filter, String> {
    let wide = || "a number of a step is too large".to_owned();
    let (code, k) = (code.try_into().map_err(|_| wide())?, k.try_into().map_err(|_| wide())?);
    Ok(sock_filter { code, jt: 0, jf: 0, k })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What the kernel makes of a call by these steps, and in how many.
    pub(in super::super) fn run(
        program: &Program,
        architecture: u32,
        number: u32,
        arguments: [u64; 6],
    ) -> (u32, usize) {
        let mut data = [number.to_le_bytes(), architecture.to_le_bytes()].concat();
        data.extend([0; 8]);
        data.extend(arguments.iter().flat_map(|argument| argument.to_le_bytes()));
        let (mut at, mut loaded) = (0, 0);
        for taken in 1.. {
            let sock_filter { code, jt, jf, k } = program.0[at];
            at += 1;
            let jump = |holds: bool| usize::from(if holds { jt } else { jf });
            match u32::from(code) {
                0x20 => loaded = u32::from_le_bytes(*data[k as usize..].first_chunk().unwrap()),
                0x54 => loaded &= k,
                0x05 => at += k as usize,
                0x15 => at += jump(loaded == k),
                0x35 => at += jump(loaded >= k),
                0x06 => return (k, taken),
                other => panic!("step {other:#x} of {program:?}"),
            }
        }
        unreachable!("a program without an end")
    }

    pub(in super::super) fn of_this_machine(program: &Program, number: u32, arguments: [u64; 6]) -> (u32, usize) {
        run(program, ARCHITECTURE, number, arguments)
    }

    pub(in super::super) fn length(program: &Program) -> usize {
        program.0.len()
    }

    const TRAP: u32 = 0x0003_0000;
    const ALLOW: u32 = 0x7fff_0000;

    #[test]
    fn the_first_rule_that_holds_decides() {
        let is = |argument, mask, value, is_value| Condition { argument, mask, value, is_value };
        let rules = vec![
            (
                vec![is(1, 0xff00, 0x5400, true), is(1, u32::MAX, 0x5401, false), is(1, u32::MAX, 0x5402, false)],
                Verdict::Trap,
            ),
            (vec![is(0, u32::MAX, 7, true), is(2, 0x10, 0x10, true)], Verdict::Fail(38)),
        ];
        let decisions = [(0, Decision::always(Verdict::Allow)), (9, Decision { rules, otherwise: Verdict::Allow })];
        let program = Program::new(decisions.into()).unwrap();
        let answer = |arguments| of_this_machine(&program, 9, arguments).0;
        assert_eq!(answer([0, 0x5400, 0, 0, 0, 0]), TRAP);
        assert_eq!(answer([0, 0xffff_ffff_1234_5403, 0, 0, 0, 0]), TRAP, "what the mask leaves out is not looked at");
        assert_eq!(answer([0, 0x5401, 0, 0, 0, 0]), ALLOW);
        assert_eq!(answer([7, 0x5402, 0x30, 0, 0, 0]), 0x0005_0026, "a rule that does not hold leaves it to the next");
        assert_eq!(answer([7, 0, 0x20, 0, 0, 0]), ALLOW);
        assert_eq!(of_this_machine(&program, 8, [0, 0x5400, 0, 0, 0, 0]).0, ALLOW);
        assert_eq!(run(&program, 0x4000_0003, 8, [0; 6]).0, 0x8000_0000, "numbers of another architecture");
    }

    #[test]
    fn a_tree_of_any_size_finds_its_leaves_in_few_steps() {
        // From a size on there are jumps that are too long for a comparison.
        for count in [1_u32, 2, 3, 100, 255, 256, 257, 1500] {
            let verdict = |index: u32| Verdict::Fail(u16::try_from(index).unwrap());
            let decisions = (0..count).map(|index| (index * 3, Decision::always(verdict(index)))).collect();
            let program = Program::new(decisions).unwrap();
            for index in 0..count {
                for number in [index * 3, index * 3 + 2] {
                    let (answer, steps) = of_this_machine(&program, number, [0; 6]);
                    assert_eq!(answer, verdict(index).code());
                    assert!(steps <= 4 + 2 * (count.ilog2() as usize + 1), "{steps} of {count}");
                }
            }
        }
        assert!(Program::new(BTreeMap::new()).is_err());
    }
}
