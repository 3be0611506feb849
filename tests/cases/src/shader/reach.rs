//! Shaders that reach what is bound to them in other ways than most do.

use super::{
    ARRAY, BLOCK, COMPUTE, FREE, FUNCTION, LABEL, MAIN, POINTER, U32, VARIABLE, VERSION, VERSION_1_4, VOID, WIDTH,
    Words, ZERO,
};

/// The number of the texel in column x of row y of a slice: one more than where it is, in an image of this side.
pub(crate) const fn texel([x, y, z]: [u32; 3], side: u32) -> u32 {
    1 + x + (y + z * side) * side
}

/// `image[x][y][z] = texel`, by workgroups of which each has a slice, from the first on.
pub(crate) fn number_texels(side: u32) -> Vec<u32> {
    let mut words = Words::of(VERSION, FREE);
    let [index, image, to_index, to_image, uvec3, uvec4] = words.ids();
    words.needs(&[1], &[]).entry(COMPUTE, MAIN, &[index]).op(16, &[MAIN, 17, side, side, 1]);
    words.op(71, &[index, 11, 28]); // GlobalInvocationId
    words.op(71, &[VARIABLE, 34, 0]).op(71, &[VARIABLE, 33, 0]).op(71, &[VARIABLE, 25]); // only written
    words.op(19, &[VOID]).op(33, &[FUNCTION, VOID]).op(21, &[U32, 32, 0]).op(23, &[uvec3, U32, 3]);
    words.op(23, &[uvec4, U32, 4]).op(32, &[to_index, 1, uvec3]).op(59, &[to_index, index, 1]);
    words.op(25, &[image, U32, 2, 0, 0, 0, 2, 33]); // of three dimensions, written to, R32ui
    words.op(32, &[to_image, 0, image]).op(59, &[to_image, VARIABLE, 0]);
    let [zero, one, side] = words.constants(U32, [0, 1, side]);
    let [all, x, y, z, slices, rows, texels, sum, number, value, here] = words.ids();
    words.op(54, &[VOID, MAIN, 0, FUNCTION]).op(248, &[LABEL]).op(61, &[uvec3, all, index]);
    for (id, part) in [(x, 0), (y, 1), (z, 2)] {
        words.op(81, &[U32, id, all, part]);
    }
    words.op(132, &[U32, slices, z, side]).op(128, &[U32, rows, slices, y]).op(132, &[U32, texels, rows, side]);
    words.op(128, &[U32, sum, texels, x]).op(128, &[U32, number, sum, one]);
    words.op(80, &[uvec4, value, number, zero, zero, zero]).op(61, &[image, here, VARIABLE]);
    words.op(99, &[here, all, value]).end()
}

/// `x[i] = i * k + i` by pointers that do not say to what they lead: the first factor is in the buffer already, in every
/// word.
pub(crate) fn untyped() -> Vec<u32> {
    let mut words = Words::of(VERSION_1_4, FREE);
    let [index, to_index, uvec3] = words.ids();
    words.needs(&[1, 4473], &["SPV_KHR_untyped_pointers"]).compute(WIDTH, &[index, VARIABLE]);
    words.op(71, &[index, 11, 28]); // GlobalInvocationId
    words.op(19, &[VOID]).op(33, &[FUNCTION, VOID]).op(21, &[U32, 32, 0]).op(23, &[uvec3, U32, 3]);
    words.op(29, &[ARRAY, U32]).op(30, &[BLOCK, ARRAY]).op(4417, &[POINTER, 12]);
    words.op(4418, &[POINTER, VARIABLE, 12, BLOCK]).op(43, &[U32, ZERO, 0]);
    words.op(32, &[to_index, 1, uvec3]).op(59, &[to_index, index, 1]);
    let [all, x, place, k, product, sum] = words.ids();
    words.main().op(61, &[uvec3, all, index]).op(81, &[U32, x, all, 0]);
    words.op(4419, &[POINTER, place, BLOCK, VARIABLE, ZERO, x]).op(61, &[U32, k, place]);
    words.op(132, &[U32, product, x, k]).op(128, &[U32, sum, product, x]).op(62, &[place, sum]).end()
}
