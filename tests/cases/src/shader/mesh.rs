//! Shaders of a mesh pipeline that paints tiles, each in a colour that says which workgroup it is of.

use super::{INPUT, OUTPUT, VERSION_1_4, Words};

/// Tiles of a row, and rows, that fill a target.
pub(crate) const TILES: u32 = 8;
/// How many rows further down each further workgroup of the third dimension paints.
pub(crate) const ROWS_OF_Z: u32 = 4;
/// Workgroups of the mesh shader that each workgroup of the task shader asks for.
pub(crate) const ROWS_OF_TASK: u32 = 2;

const MESH_SHADING: u32 = 5283;
const EXTENSION: &str = "SPV_EXT_mesh_shader";
const TASK: u32 = 5364;
const MESH: u32 = 5365;
/// Where a task's variable for its meshes is.
const PAYLOAD: u32 = 5402;

/// The colour of the tile that is painted by workgroup `x`, `z` in this row.
pub(crate) const fn colour(x: u32, row: u32, z: u32) -> u32 {
    1 + x + (row << 8) + (z << 16)
}

/// What both kinds of workgroups begin with: types, and which workgroup this is.
struct Group {
    main: u32,
    void: u32,
    function: u32,
    u32: u32,
    uvec3: u32,
    id: u32,
    payload: u32,
    task: u32,
}

impl Group {
    fn new(words: &mut Words) -> Self {
        let [main, void, function, u32, uvec3, id, payload, task] = words.ids();
        Self { main, void, function, u32, uvec3, id, payload, task }
    }

    /// Everything before decorations.
    fn begin(&self, words: &mut Words, stage: u32, variables: &[u32]) {
        words.needs(&[MESH_SHADING], &[EXTENSION]).entry(stage, self.main, variables);
        words.op(16, &[self.main, 17, 1, 1, 1]); // local size
    }

    /// The types, the number of the workgroup, and what a task tells its meshes: a row.
    fn types(&self, words: &mut Words) {
        let [input, payload] = words.ids();
        words.op(19, &[self.void]).op(33, &[self.function, self.void]).op(21, &[self.u32, 32, 0]);
        words.op(23, &[self.uvec3, self.u32, 3]).op(32, &[input, INPUT, self.uvec3]).op(59, &[input, self.id, INPUT]);
        words.op(30, &[self.task, self.u32]).op(32, &[payload, PAYLOAD, self.task]);
        words.op(59, &[payload, self.payload, PAYLOAD]);
    }

    /// The begin of the function, and the workgroup's x, y and z.
    fn main(&self, words: &mut Words) -> [u32; 3] {
        let [label, all, x, y, z] = words.ids();
        words.op(54, &[self.void, self.main, 0, self.function]).op(248, &[label]);
        words.op(61, &[self.uvec3, all, self.id]);
        [(x, 0), (y, 1), (z, 2)].map(|(id, part)| {
            words.op(81, &[self.u32, id, all, part]);
            id
        })
    }
}

/// A task shader of which each workgroup has `TILES` times [`ROWS_OF_TASK`] tiles painted, from row y times that on.
pub(crate) fn task() -> Vec<u32> {
    let mut words = Words::of(VERSION_1_4, 1);
    let group = Group::new(&mut words);
    group.begin(&mut words, TASK, &[group.id, group.payload]);
    words.op(71, &[group.id, 11, 26]); // WorkgroupId
    group.types(&mut words);
    let [zero, one, rows, tiles] = words.constants(group.u32, [0, 1, ROWS_OF_TASK, TILES]);
    let [pointer, row, place] = words.ids();
    words.op(32, &[pointer, PAYLOAD, group.u32]);
    let [_, y, _] = group.main(&mut words);
    words.op(132, &[group.u32, row, y, rows]).op(65, &[pointer, place, group.payload, zero]).op(62, &[place, row]);
    words.op(5294, &[tiles, rows, one, group.payload]).op(56, &[]); // the last instruction of a task: EmitMeshTasks
    words.0
}

/// A mesh shader of which each workgroup paints a tile: x says in which column; y, z and the task, if there is one, in
/// which row.
pub(crate) fn mesh(of_task: bool) -> Vec<u32> {
    let mut words = Words::of(VERSION_1_4, 1);
    let group = Group::new(&mut words);
    let [positions, colours, indices, vertex] = words.ids();
    let variables = [group.id, positions, colours, indices, group.payload];
    group.begin(&mut words, MESH, &variables[..if of_task { 5 } else { 4 }]);
    // Output of 4 vertices and 2 primitives, which are triangles.
    words.op(16, &[group.main, 26, 4]).op(16, &[group.main, 5270, 2]).op(16, &[group.main, 5298]);
    words.op(71, &[group.id, 11, 26]).op(71, &[indices, 11, 5296]); // WorkgroupId; triangle indices
    words.op(72, &[vertex, 0, 11, 0]).op(71, &[vertex, 2]); // Position, of a block
    words.op(71, &[colours, 30, 0]).op(71, &[colours, 5271]); // location 0, one for each primitive
    group.types(&mut words);

    let [f32, vec4, vertices, triangles, triangle_colours] = words.ids();
    words.op(22, &[f32, 32]).op(23, &[vec4, f32, 4]).op(30, &[vertex, vec4]);
    let [zero, one, two, three, four, rows, shift] =
        words.constants(group.u32, [0, 1, 2, 3, 4, ROWS_OF_Z, colour(0, 1, 0) - 1]);
    let [shift_z] = words.constants(group.u32, [colour(0, 0, 1) - 1]);
    #[expect(clippy::cast_precision_loss, reason = "tiles are few")]
    let tile = 2.0 / TILES as f32;
    let [nothing, whole, side] = words.constants(f32, [0.0, 1.0, tile].map(f32::to_bits));
    words.op(28, &[vertices, vertex, four]).op(28, &[triangles, group.uvec3, two]);
    words.op(28, &[triangle_colours, group.u32, two]);
    let [all_vertices, all_triangles, all_colours, one_position, one_triangle, one_colour] = words.ids();
    words.op(32, &[all_vertices, OUTPUT, vertices]).op(59, &[all_vertices, positions, OUTPUT]);
    words.op(32, &[all_triangles, OUTPUT, triangles]).op(59, &[all_triangles, indices, OUTPUT]);
    words.op(32, &[all_colours, OUTPUT, triangle_colours]).op(59, &[all_colours, colours, OUTPUT]);
    words.op(32, &[one_position, OUTPUT, vec4]).op(32, &[one_triangle, OUTPUT, group.uvec3]);
    words.op(32, &[one_colour, OUTPUT, group.u32]);
    let [first, second, told] = words.ids();
    words.op(44, &[group.uvec3, first, zero, one, two]).op(44, &[group.uvec3, second, two, one, three]);
    words.op(32, &[told, PAYLOAD, group.u32]);

    let [x, y, z] = group.main(&mut words);
    words.op(5295, &[four, two]); // SetMeshOutputs
    let base = if of_task {
        let [place, base] = words.ids();
        words.op(65, &[told, place, group.payload, zero]).op(61, &[group.u32, base, place]);
        base
    } else {
        zero
    };
    let [below, upper, row] = words.ids();
    words.op(132, &[group.u32, below, z, rows]).op(128, &[group.u32, upper, base, y]);
    words.op(128, &[group.u32, row, upper, below]);
    let [of_row, of_z, of_both, shade, colour] = words.ids();
    words.op(132, &[group.u32, of_row, row, shift]).op(132, &[group.u32, of_z, z, shift_z]);
    words.op(128, &[group.u32, of_both, of_row, of_z]).op(128, &[group.u32, shade, of_both, x]);
    words.op(128, &[group.u32, colour, shade, one]);

    // From a tile's number to where it begins and ends, between -1 and 1.
    let [left, right, top, bottom] = words.ids();
    for (number, begin, end) in [(x, left, right), (row, top, bottom)] {
        let [float, scaled] = words.ids();
        words.op(112, &[f32, float, number]).op(133, &[f32, scaled, float, side]);
        words.op(131, &[f32, begin, scaled, whole]).op(129, &[f32, end, begin, side]);
    }
    let corners = [(zero, left, top), (one, right, top), (two, left, bottom), (three, right, bottom)];
    for (number, x, y) in corners {
        let [position, place] = words.ids();
        words.op(80, &[vec4, position, x, y, nothing, whole]);
        words.op(65, &[one_position, place, positions, number, zero]).op(62, &[place, position]);
    }
    for (number, corners) in [(zero, first), (one, second)] {
        let [triangle, painted] = words.ids();
        words.op(65, &[one_triangle, triangle, indices, number]).op(62, &[triangle, corners]);
        words.op(65, &[one_colour, painted, colours, number]).op(62, &[painted, colour]);
    }
    words.end()
}

/// A fragment shader that writes the colour of its triangle.
pub(crate) fn fragment() -> Vec<u32> {
    super::squares::fragment_of(&[1, MESH_SHADING], &[EXTENSION], &[14, 5271]) // flat, and of a primitive
}
