//! The shaders of our cases, put together word by word: numbers are those of SPIR-V, and so is the layout.

pub(crate) mod heap;
pub(crate) mod matrix;
pub(crate) mod mesh;
pub(crate) mod reach;
pub(crate) mod squares;

/// Bound of ids, entry point and opcodes would be many names for few uses: the rows below have numbers, and say in words
/// what they are.
const MAGIC: u32 = 0x0723_0203;
const VERSION: u32 = 0x0001_0300;
/// From this version on an entry point names every variable outside of functions that it uses.
const VERSION_1_4: u32 = 0x0001_0400;
/// Which has the memory model of Vulkan.
const VERSION_1_5: u32 = 0x0001_0500;
/// Stages.
const VERTEX: u32 = 0;
const FRAGMENT: u32 = 4;
const COMPUTE: u32 = 5;
/// Where variables are.
const INPUT: u32 = 1;
const OUTPUT: u32 = 3;
/// Where a module says what no id reaches.
const BOUND: usize = 3;

/// Words of a module.
struct Words(Vec<u32>);

impl Words {
    fn new(bound: u32) -> Self {
        Self::of(VERSION, bound)
    }

    /// A module of another version.
    fn of(version: u32, bound: u32) -> Self {
        Self(vec![MAGIC, version, 0, bound, 0])
    }

    /// Ids from the bound on, which moves.
    fn ids<const NUMBER: usize>(&mut self) -> [u32; NUMBER] {
        let first = self.0[BOUND];
        self.0[BOUND] = first + u32::try_from(NUMBER).expect("ids are few");
        let mut next = first..;
        std::array::from_fn(|_| next.next().expect("ids are few"))
    }

    /// One instruction: its length and opcode, then what it says.
    fn op(&mut self, code: u32, operands: &[u32]) -> &mut Self {
        let length = u32::try_from(operands.len() + 1).expect("instructions are short");
        self.0.push(length << 16 | code);
        self.0.extend_from_slice(operands);
        self
    }

    /// The capabilities and extensions that a module begins with, and its memory model: logical, and that of GLSL.
    fn needs(&mut self, capabilities: &[u32], extensions: &[&str]) -> &mut Self {
        self.needs_model(capabilities, extensions, 1)
    }

    /// The same with this memory model.
    fn needs_model(&mut self, capabilities: &[u32], extensions: &[&str], model: u32) -> &mut Self {
        for capability in capabilities {
            self.op(17, &[*capability]);
        }
        for extension in extensions {
            self.op(10, &text(extension));
        }
        self.op(14, &[0, model])
    }

    /// The entry point, for this stage, with the variables that it uses.
    fn entry(&mut self, stage: u32, main: u32, variables: &[u32]) -> &mut Self {
        self.op(15, &[&[stage, main], &*text("main"), variables].concat())
    }

    /// Constants of a type of 32 bits.
    fn constants<const NUMBER: usize>(&mut self, ty: u32, bits: [u32; NUMBER]) -> [u32; NUMBER] {
        let ids = self.ids();
        for (id, bits) in std::iter::zip(ids, bits) {
            self.op(43, &[ty, id, bits]);
        }
        ids
    }

    /// What every compute shader on one buffer of words begins with: ids 1 to 13. `set` is the name of an instruction set.
    fn begin(&mut self, set: &str, width: u32, interface: &[u32]) -> &mut Self {
        let mut import = vec![14];
        import.extend(text(set));
        self.op(17, &[1]).op(11, &import).op(14, &[0, 1]); // Shader; the instruction set; logical GLSL450
        self.compute(width, interface)
    }

    /// The entry point of such a shader, and how its buffer is laid out.
    fn compute(&mut self, width: u32, variables: &[u32]) -> &mut Self {
        self.entry(COMPUTE, MAIN, variables).op(16, &[MAIN, 17, width, 1, 1]); // local size
        self.op(71, &[ARRAY, 6, 4]).op(72, &[BLOCK, 0, 35, 0]).op(71, &[BLOCK, 2]); // stride, offset, Block
        self.op(71, &[VARIABLE, 34, 0]).op(71, &[VARIABLE, 33, 0]) // set 0, binding 0
    }

    /// Types and the buffer.
    fn types(&mut self) -> &mut Self {
        self.op(19, &[VOID]).op(33, &[FUNCTION, VOID]).op(21, &[U32, 32, 0]);
        self.op(29, &[ARRAY, U32]).op(30, &[BLOCK, ARRAY]).op(32, &[POINTER, 12, BLOCK]).op(32, &[ELEMENT, 12, U32]);
        self.op(59, &[POINTER, VARIABLE, 12]).op(43, &[U32, ZERO, 0])
    }

    fn main(&mut self) -> &mut Self {
        self.op(54, &[VOID, MAIN, 0, FUNCTION]).op(248, &[LABEL])
    }

    fn end(&mut self) -> Vec<u32> {
        self.op(253, &[]).op(56, &[]);
        std::mem::take(&mut self.0)
    }
}

const MAIN: u32 = 1;
const VOID: u32 = 2;
const FUNCTION: u32 = 3;
const U32: u32 = 4;
const ARRAY: u32 = 5;
const BLOCK: u32 = 6;
const POINTER: u32 = 7;
const VARIABLE: u32 = 8;
const ELEMENT: u32 = 9;
const ZERO: u32 = 10;
const LABEL: u32 = 11;
/// The first id that each shader uses as it likes; 14 is the instruction set.
const FREE: u32 = 15;

/// A string as SPIR-V has it: bytes, a zero, and zeros up to a word.
fn text(text: &str) -> Vec<u32> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize((bytes.len() / 4 + 1) * 4, 0);
    bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

/// Threads of one workgroup of [`multiply`].
pub(crate) const WIDTH: u32 = 64;

/// `x[i] = i * k`, where k is specialisation constant 0.
pub(crate) fn multiply() -> Vec<u32> {
    multiply_with("GLSL.std.450")
}

/// The same, with an instruction set that no driver knows: its pipelines cannot be made.
pub(crate) fn refused() -> Vec<u32> {
    multiply_with("Unknown.set.of.nobody")
}

fn multiply_with(set: &str) -> Vec<u32> {
    const INDEX: u32 = FREE; // gl_GlobalInvocationID
    const K: u32 = 16;
    let [vec3, input, all, x, product, place] = [17, 18, 19, 20, 21, 22];
    let mut words = Words::new(23);
    words.begin(set, WIDTH, &[INDEX]).op(71, &[INDEX, 11, 28]).op(71, &[K, 1, 0]).types();
    words.op(23, &[vec3, U32, 3]).op(32, &[input, 1, vec3]).op(59, &[input, INDEX, 1]).op(50, &[U32, K, 1]);
    words.main().op(61, &[vec3, all, INDEX]).op(81, &[U32, x, all, 0]).op(132, &[U32, product, x, K]);
    words.op(65, &[ELEMENT, place, VARIABLE, ZERO, x]).op(62, &[place, product]).end()
}

/// A vertex shader that does nothing at all.
pub(crate) fn nothing() -> Vec<u32> {
    let mut words = Words::new(LABEL + 1);
    words.op(17, &[1]).op(14, &[0, 1]); // Shader; logical GLSL450
    words.entry(VERTEX, MAIN, &[]).op(19, &[VOID]).op(33, &[FUNCTION, VOID]).main().end()
}

/// A shader of so many operations, each of which needs the one before, so that its compilation takes a while.
pub(crate) fn long(operations: u32) -> Vec<u32> {
    const PLACE: u32 = FREE;
    const FACTOR: u32 = 16;
    const FIRST: u32 = 17;
    let mut words = Words::new(FIRST + operations + 1);
    words.begin("GLSL.std.450", 1, &[]).types().op(43, &[U32, FACTOR, 1_664_525]);
    words.main().op(65, &[ELEMENT, PLACE, VARIABLE, ZERO, ZERO]).op(61, &[U32, FIRST, PLACE]);
    for number in 1..=operations {
        // An addition, a multiplication and an exclusive or in turn, with a value from not long before.
        let (code, other) = match number % 3 {
            0 => (128, FACTOR),
            1 => (132, FIRST + number.saturating_sub(37)),
            _ => (198, FIRST + number.saturating_sub(41)),
        };
        words.op(code, &[U32, FIRST + number, FIRST + number - 1, other]);
    }
    words.op(62, &[PLACE, FIRST + operations]).end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_fill_a_module_to_its_end() {
        use matrix::{Component, Matrix};
        let matrix = Matrix { of: Component::F16, rows: 4, columns: 4, at: 0 };
        let old = vec![multiply(), refused(), nothing(), long(100)];
        let meshes = vec![mesh::task(), mesh::mesh(false), mesh::mesh(true), mesh::fragment()];
        let squares = vec![squares::vertex(), squares::fragment(), squares::fragment_of_floats()];
        let others = vec![heap::look_up(true), heap::look_up(false), reach::number_texels(8), reach::untyped()];
        let matrices = vec![matrix::multiply([matrix; 4], 8, false)];
        for module in [old, meshes, squares, others, matrices].concat() {
            let mut at = 5;
            while at < module.len() {
                at += usize::try_from(module[at] >> 16).unwrap();
            }
            assert_eq!(at, module.len());
        }
    }

    #[test]
    fn text_ends_with_a_zero() {
        assert_eq!(text("main"), [u32::from_le_bytes(*b"main"), 0]);
        assert_eq!(text("abc"), [u32::from_le_bytes(*b"abc\0")]);
    }
}
