//! The structure of shader code, as far as it takes no grammar.
//!
//! A module of SPIR-V is five words of header, then instructions, each of which says how long it is. Compilers step from
//! one to the next by that, and make tables as long as the header says that there are ids, before they understand
//! anything. What the instructions say is theirs to find out: see `docs/validation.md`.

use std::borrow::Cow;

/// What a module begins with, in this machine's byte order: drivers take no other.
const MAGIC: u32 = 0x0723_0203;

/// Words of the header: magic number, version, generator, bound, and one that is reserved.
const HEADER_WORDS: usize = 5;

/// How many ids every compiler takes at least (SPIR-V's universal limits). Some take more, and there are modules that have
/// more; but none needs more than it has words, since an instruction makes one id at most.
const IDS_FOR_ALL: u32 = 0x3f_ffff;

/// What is wrong with a module, if its structure is.
pub(super) fn check(words: &[u32]) -> Result<(), Cow<'static, str>> {
    let Some((&[magic, _version, _generator, bound, _reserved], instructions)) =
        words.split_first_chunk::<HEADER_WORDS>()
    else {
        return Err(format!("{} words are no module: its header alone has {HEADER_WORDS}", words.len()).into());
    };
    if magic != MAGIC {
        return Err(format!("begins with {magic:#010x}, which is not SPIR-V").into());
    }
    let most = IDS_FOR_ALL.max(u32::try_from(words.len()).unwrap_or(u32::MAX));
    if bound == 0 || bound > most {
        return Err(format!("has a bound of {bound} ids, and may have one of 1 to {most}").into());
    }
    let mut rest = instructions;
    while let Some(first) = rest.first() {
        let length = usize::try_from(first >> 16).unwrap_or(usize::MAX);
        let at = words.len().saturating_sub(rest.len());
        rest = match rest.get(length..) {
            Some(rest) if length > 0 => rest,
            _ => return Err(format!("the instruction at word {at} of {} has {length} words", words.len()).into()),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [u32; HEADER_WORDS] = [MAGIC, 0x1_0000, 0, 8, 0];

    fn module(instructions: &[u32]) -> Vec<u32> {
        [&HEADER[..], instructions].concat()
    }

    fn reason(words: &[u32]) -> String {
        check(words).unwrap_err().into_owned()
    }

    #[test]
    fn instructions_end_with_the_module() {
        // OpCapability Shader, OpMemoryModel Logical GLSL450.
        assert_eq!(check(&module(&[0x0002_0011, 1, 0x0003_000e, 0, 1])), Ok(()));
        assert_eq!(check(&HEADER), Ok(()));
        assert_eq!(reason(&module(&[0x0002_0011, 1, 0x0003_000e, 0])), "the instruction at word 7 of 9 has 3 words");
        assert_eq!(reason(&module(&[0x0000_0011, 1])), "the instruction at word 5 of 7 has 0 words");
        assert_eq!(reason(&module(&[0xffff_0011])), "the instruction at word 5 of 6 has 65535 words");
    }

    #[test]
    fn headers_are_whole_and_of_this_byte_order() {
        assert_eq!(reason(&[]), "0 words are no module: its header alone has 5");
        assert_eq!(reason(&HEADER[..4]), "4 words are no module: its header alone has 5");
        let mut swapped = HEADER;
        swapped[0] = MAGIC.swap_bytes();
        assert_eq!(reason(&swapped), "begins with 0x03022307, which is not SPIR-V");
    }

    #[test]
    fn ids_are_bounded() {
        for (bound, is_fine) in
            [(0, false), (1, true), (IDS_FOR_ALL, true), (IDS_FOR_ALL + 1, false), (u32::MAX, false)]
        {
            let mut header = HEADER;
            header[3] = bound;
            assert_eq!(check(&header).is_ok(), is_fine, "{bound}");
        }
        // OpNop, as often as there are more words than ids that all take.
        let most = IDS_FOR_ALL as usize + 1;
        let mut large = vec![0x0001_0000; most];
        large[..HEADER_WORDS].copy_from_slice(&HEADER);
        large[3] = IDS_FOR_ALL + 1;
        assert_eq!(check(&large), Ok(()));
        large[3] += 1;
        assert!(check(&large).is_err());
    }
}
