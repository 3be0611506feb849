//! The shaders of our programs, put together word by word.
//!
//! Three shaders of a dozen instructions do not justify a shader compiler among the dependencies. Numbers and layout
//! are those of the SPIR-V specification, version 1.0: a header of five words, then instructions, whose first word
//! holds length and opcode.

/// Opcodes (SPIR-V section 3.32).
#[derive(Clone, Copy)]
#[repr(u32)]
enum Op {
    MemoryModel = 14,
    EntryPoint = 15,
    ExecutionMode = 16,
    Capability = 17,
    TypeVoid = 19,
    TypeInt = 21,
    TypeFloat = 22,
    TypeVector = 23,
    TypeArray = 28,
    TypeRuntimeArray = 29,
    TypeStruct = 30,
    TypePointer = 32,
    TypeFunction = 33,
    Constant = 43,
    ConstantComposite = 44,
    Function = 54,
    FunctionEnd = 56,
    Variable = 59,
    Load = 61,
    Store = 62,
    AccessChain = 65,
    Decorate = 71,
    MemberDecorate = 72,
    IAdd = 128,
    IMul = 132,
    Label = 248,
    Return = 253,
}

const CAPABILITY_SHADER: u32 = 1;
const LOGICAL: u32 = 0;
const GLSL450: u32 = 1;

const VERTEX: u32 = 0;
const FRAGMENT: u32 = 4;
const GL_COMPUTE: u32 = 5;

const ORIGIN_UPPER_LEFT: u32 = 7;
const LOCAL_SIZE: u32 = 17;

const INPUT: u32 = 1;
const UNIFORM: u32 = 2;
const OUTPUT: u32 = 3;
const FUNCTION: u32 = 7;

const BUFFER_BLOCK: u32 = 3;
const ARRAY_STRIDE: u32 = 6;
const BUILT_IN: u32 = 11;
const LOCATION: u32 = 30;
const BINDING: u32 = 33;
const DESCRIPTOR_SET: u32 = 34;
const OFFSET: u32 = 35;

const POSITION: u32 = 0;
const GLOBAL_INVOCATION_ID: u32 = 28;
const VERTEX_INDEX: u32 = 42;

/// Invocations of [`multiply_and_add`] in a work group.
pub(super) const GROUP_SIZE: u32 = 64;

/// A module under construction. Ids are numbers from 1; an instruction that makes something returns its id.
struct Module {
    words: Vec<u32>,
    last_id: u32,
}

impl Module {
    fn new() -> Self {
        let mut module = Self { words: vec![0x0723_0203, 0x0001_0000, 0, 0, 0], last_id: 0 };
        module.op(Op::Capability, &[CAPABILITY_SHADER]);
        module.op(Op::MemoryModel, &[LOGICAL, GLSL450]);
        module
    }

    /// An id for something that is named before it is made.
    fn id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    fn op(&mut self, op: Op, operands: &[u32]) {
        let len = u32::try_from(1 + operands.len()).expect("instructions here have a few words");
        self.words.push(len << 16 | op as u32);
        self.words.extend(operands);
    }

    /// A declaration, whose first operand is its id.
    fn declare(&mut self, op: Op, operands: &[u32]) -> u32 {
        let id = self.id();
        self.op(op, &[&[id], operands].concat());
        id
    }

    /// A value, whose operands begin with its type and its id.
    fn value(&mut self, op: Op, of: u32, operands: &[u32]) -> u32 {
        let id = self.id();
        self.op(op, &[&[of, id], operands].concat());
        id
    }

    /// The entry point `main`, and the variables through which it meets the world.
    fn entry_point(&mut self, model: u32, main: u32, interface: &[u32]) {
        let name = [u32::from_le_bytes(*b"main"), 0];
        self.op(Op::EntryPoint, &[&[model, main], &name[..], interface].concat());
    }

    /// The beginning of `main`.
    fn begin(&mut self, main: u32) {
        const NO_CONTROL: u32 = 0;
        let void = self.declare(Op::TypeVoid, &[]);
        let signature = self.declare(Op::TypeFunction, &[void]);
        self.op(Op::Function, &[void, main, NO_CONTROL, signature]);
        self.declare(Op::Label, &[]);
    }

    /// The end of `main`, and of the module.
    fn end(mut self) -> Vec<u32> {
        self.op(Op::Return, &[]);
        self.op(Op::FunctionEnd, &[]);
        // Word 3 is larger than every id.
        self.words[3] = self.last_id + 1;
        self.words
    }
}

/// ```glsl
/// vec4 corners[3] = { ... }, colours[3] = { ... };
/// layout(location = 0) out vec4 colour;
/// void main() { gl_Position = corners[gl_VertexIndex]; colour = colours[gl_VertexIndex]; }
/// ```
pub(super) fn corners_and_colours(corners: &[[f32; 4]; 3], colours: &[[f32; 4]; 3]) -> Vec<u32> {
    let mut m = Module::new();
    let [main, index, position, colour] = std::array::from_fn(|_| m.id());
    m.entry_point(VERTEX, main, &[index, position, colour]);
    m.op(Op::Decorate, &[index, BUILT_IN, VERTEX_INDEX]);
    m.op(Op::Decorate, &[position, BUILT_IN, POSITION]);
    m.op(Op::Decorate, &[colour, LOCATION, 0]);

    let float = m.declare(Op::TypeFloat, &[32]);
    let vec4 = m.declare(Op::TypeVector, &[float, 4]);
    let uint = m.declare(Op::TypeInt, &[32, 0]);
    let three = m.value(Op::Constant, uint, &[3]);
    let table = m.declare(Op::TypeArray, &[vec4, three]);
    let in_uint = m.declare(Op::TypePointer, &[INPUT, uint]);
    let out_vec4 = m.declare(Op::TypePointer, &[OUTPUT, vec4]);
    let local_table = m.declare(Op::TypePointer, &[FUNCTION, table]);
    let local_vec4 = m.declare(Op::TypePointer, &[FUNCTION, vec4]);
    let tables = [corners, colours].map(|rows| {
        let rows = rows.map(|row| {
            let numbers = row.map(|number| m.value(Op::Constant, float, &[number.to_bits()]));
            m.value(Op::ConstantComposite, vec4, &numbers)
        });
        m.value(Op::ConstantComposite, table, &rows)
    });
    m.op(Op::Variable, &[in_uint, index, INPUT]);
    m.op(Op::Variable, &[out_vec4, position, OUTPUT]);
    m.op(Op::Variable, &[out_vec4, colour, OUTPUT]);

    m.begin(main);
    let tables = tables.map(|initial| m.value(Op::Variable, local_table, &[FUNCTION, initial]));
    let i = m.value(Op::Load, uint, &[index]);
    for (table, output) in tables.into_iter().zip([position, colour]) {
        let row = m.value(Op::AccessChain, local_vec4, &[table, i]);
        let row = m.value(Op::Load, vec4, &[row]);
        m.op(Op::Store, &[output, row]);
    }
    m.end()
}

/// ```glsl
/// layout(location = 0) in vec4 colour;
/// layout(location = 0) out vec4 pixel;
/// void main() { pixel = colour; }
/// ```
pub(super) fn plain_colour() -> Vec<u32> {
    let mut m = Module::new();
    let [main, colour, pixel] = std::array::from_fn(|_| m.id());
    m.entry_point(FRAGMENT, main, &[colour, pixel]);
    m.op(Op::ExecutionMode, &[main, ORIGIN_UPPER_LEFT]);
    m.op(Op::Decorate, &[colour, LOCATION, 0]);
    m.op(Op::Decorate, &[pixel, LOCATION, 0]);

    let float = m.declare(Op::TypeFloat, &[32]);
    let vec4 = m.declare(Op::TypeVector, &[float, 4]);
    let in_vec4 = m.declare(Op::TypePointer, &[INPUT, vec4]);
    let out_vec4 = m.declare(Op::TypePointer, &[OUTPUT, vec4]);
    m.op(Op::Variable, &[in_vec4, colour, INPUT]);
    m.op(Op::Variable, &[out_vec4, pixel, OUTPUT]);

    m.begin(main);
    let value = m.value(Op::Load, vec4, &[colour]);
    m.op(Op::Store, &[pixel, value]);
    m.end()
}

/// ```glsl
/// layout(local_size_x = GROUP_SIZE) in;
/// layout(set = 0, binding = 0) buffer Numbers { uint numbers[]; };
/// void main() { uint i = gl_GlobalInvocationID.x; numbers[i] = numbers[i] * factor + i; }
/// ```
pub(super) fn multiply_and_add(factor: u32) -> Vec<u32> {
    let mut m = Module::new();
    let [main, invocation, numbers, array, block] = std::array::from_fn(|_| m.id());
    m.entry_point(GL_COMPUTE, main, &[invocation]);
    m.op(Op::ExecutionMode, &[main, LOCAL_SIZE, GROUP_SIZE, 1, 1]);
    m.op(Op::Decorate, &[invocation, BUILT_IN, GLOBAL_INVOCATION_ID]);
    m.op(Op::Decorate, &[array, ARRAY_STRIDE, 4]);
    m.op(Op::Decorate, &[block, BUFFER_BLOCK]);
    m.op(Op::MemberDecorate, &[block, 0, OFFSET, 0]);
    m.op(Op::Decorate, &[numbers, DESCRIPTOR_SET, 0]);
    m.op(Op::Decorate, &[numbers, BINDING, 0]);

    let uint = m.declare(Op::TypeInt, &[32, 0]);
    let uvec3 = m.declare(Op::TypeVector, &[uint, 3]);
    m.op(Op::TypeRuntimeArray, &[array, uint]);
    m.op(Op::TypeStruct, &[block, array]);
    let in_uvec3 = m.declare(Op::TypePointer, &[INPUT, uvec3]);
    let in_uint = m.declare(Op::TypePointer, &[INPUT, uint]);
    let buffer_block = m.declare(Op::TypePointer, &[UNIFORM, block]);
    let buffer_uint = m.declare(Op::TypePointer, &[UNIFORM, uint]);
    let zero = m.value(Op::Constant, uint, &[0]);
    let factor = m.value(Op::Constant, uint, &[factor]);
    m.op(Op::Variable, &[in_uvec3, invocation, INPUT]);
    m.op(Op::Variable, &[buffer_block, numbers, UNIFORM]);

    m.begin(main);
    let x = m.value(Op::AccessChain, in_uint, &[invocation, zero]);
    let i = m.value(Op::Load, uint, &[x]);
    let number = m.value(Op::AccessChain, buffer_uint, &[numbers, zero, i]);
    let old = m.value(Op::Load, uint, &[number]);
    let product = m.value(Op::IMul, uint, &[old, factor]);
    let sum = m.value(Op::IAdd, uint, &[product, i]);
    m.op(Op::Store, &[number, sum]);
    m.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Instructions are as long as they say, and the header knows how many ids there are.
    fn check(module: &[u32]) {
        let (mut rest, mut count) = (&module[5..], 0);
        while let [first, ..] = rest {
            rest = &rest[usize::try_from(first >> 16).unwrap()..];
            count += 1;
        }
        assert!(count > 10 && module[3] > 10);
    }

    #[test]
    fn modules_are_well_formed() {
        check(&corners_and_colours(&[[0.0; 4]; 3], &[[1.0; 4]; 3]));
        check(&plain_colour());
        check(&multiply_and_add(3));
    }
}
