//! A shader that multiplies two matrices and adds a third, all of which a subgroup has together.

use super::{ELEMENT, FREE, U32, VARIABLE, VERSION_1_5, Words, ZERO};

/// What a matrix is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Component {
    F16,
    F32,
    I8,
    U8,
    I32,
    U32,
}

impl Component {
    /// Bytes of one.
    pub(crate) const fn bytes(self) -> u32 {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::F16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
        }
    }

    pub(crate) const fn signed(self) -> bool {
        matches!(self, Self::I8 | Self::I32)
    }

    /// The capability that a shader needs for it, if that is more than any shader has.
    const fn capability(self) -> Option<u32> {
        match self {
            Self::F16 => Some(9),
            Self::I8 | Self::U8 => Some(39),
            _ => None,
        }
    }

    /// Declares the type.
    fn declare(self, words: &mut Words, id: u32) {
        match self {
            Self::F16 => words.op(22, &[id, 16]),
            Self::F32 => words.op(22, &[id, 32]),
            Self::I8 => words.op(21, &[id, 8, 1]),
            Self::U8 => words.op(21, &[id, 8, 0]),
            Self::I32 => words.op(21, &[id, 32, 1]),
            Self::U32 => words,
        };
    }
}

/// A matrix, and where it is in the buffer: in rows, each of which begins with a word of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix {
    pub(crate) of: Component,
    pub(crate) rows: u32,
    pub(crate) columns: u32,
    /// The word with which it begins.
    pub(crate) at: u32,
}

impl Matrix {
    /// Words of a row.
    pub(crate) const fn stride(self) -> u32 {
        (self.columns * self.of.bytes()).div_ceil(4)
    }

    /// The word after its last.
    pub(crate) const fn end(self) -> u32 {
        self.at + self.rows * self.stride()
    }
}

/// `result = a * b + c`, by one subgroup of so many invocations.
pub(crate) fn multiply([a, b, c, result]: [Matrix; 4], invocations: u32, saturating: bool) -> Vec<u32> {
    let all = [a, b, c, result];
    let mut words = Words::of(VERSION_1_5, FREE);
    let mut capabilities = vec![1, 5345, 6022]; // Shader, VulkanMemoryModel, CooperativeMatrixKHR
    capabilities.extend(all.iter().filter_map(|matrix| matrix.of.capability()));
    capabilities.dedup();
    words.needs_model(&capabilities, &["SPV_KHR_cooperative_matrix"], 3).compute(invocations, &[VARIABLE]).types();
    let [subgroup] = words.constants(U32, [3]);
    let mut components: Vec<(Component, u32)> = vec![(Component::U32, U32)];
    let mut declared = Vec::new();
    // Use of each: as A, as B, or to add to.
    for (matrix, used) in std::iter::zip(all, [0, 1, 2, 2]) {
        let known = components.iter().find(|(component, _)| *component == matrix.of).map(|(_, id)| *id);
        let component = known.unwrap_or_else(|| {
            let [id] = words.ids();
            matrix.of.declare(&mut words, id);
            components.push((matrix.of, id));
            id
        });
        let [rows, columns, used, at, stride] =
            words.constants(U32, [matrix.rows, matrix.columns, used, matrix.at, matrix.stride()]);
        declared.push(([component, rows, columns, used], at, stride));
    }
    // Two types may not be the same, so the result has that of what is added where they are.
    let mut types: Vec<u32> = Vec::new();
    for (matrix, (parts, ..)) in std::iter::zip(all, &declared) {
        let same = types.len() == 3 && matrix.of == c.of;
        let [id] = if same { [types[2]] } else { words.ids() };
        if !same {
            words.op(4456, &[id, parts[0], subgroup, parts[1], parts[2], parts[3]]);
        }
        types.push(id);
    }
    words.main();
    let mut places = Vec::new();
    for (_, at, _) in &declared {
        let [place] = words.ids();
        words.op(65, &[ELEMENT, place, VARIABLE, ZERO, *at]);
        places.push(place);
    }
    let values: [u32; 4] = words.ids();
    for one in 0..3 {
        words.op(4457, &[types[one], values[one], places[one], ZERO, declared[one].2]); // load; in rows
    }
    let signs = [(a, 1), (b, 2), (c, 4), (result, 8)].map(|(matrix, bit)| if matrix.of.signed() { bit } else { 0 });
    let operands = signs.iter().sum::<u32>() + if saturating { 16 } else { 0 };
    words.op(4459, &[types[3], values[3], values[0], values[1], values[2], operands]);
    words.op(4458, &[places[3], values[3], ZERO, declared[3].2]).end()
}
