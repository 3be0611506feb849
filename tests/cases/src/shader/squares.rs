//! Shaders that draw squares of one colour each, of four vertices that have nothing but their number.

use super::{FRAGMENT, INPUT, OUTPUT, VERSION_1_4, VERTEX, Words};

/// Pixels of a square's side in a picture of [`SIDE`](crate::target::SIDE) pixels, and from one square to the next.
pub(crate) const SQUARE: u32 = 16;
pub(crate) const STEP: u32 = 32;

/// The colour of a square.
pub(crate) const fn colour(square: u32) -> u32 {
    square + 1
}

/// Vertices 4 n to 4 n + 3 are the corners of square n, in the order of a strip.
pub(crate) fn vertex() -> Vec<u32> {
    let mut words = Words::of(VERSION_1_4, 1);
    let [main, void, function, u32, f32, vec4, number, position, painted] = words.ids();
    words.needs(&[1], &[]).entry(VERTEX, main, &[number, position, painted]);
    words.op(71, &[number, 11, 42]).op(71, &[position, 11, 0]); // VertexIndex; Position
    words.op(71, &[painted, 30, 0]).op(71, &[painted, 14]); // location 0, flat
    words.op(19, &[void]).op(33, &[function, void]).op(21, &[u32, 32, 0]).op(22, &[f32, 32]).op(23, &[vec4, f32, 4]);
    let [to_number, to_position, to_painted] = words.ids();
    words.op(32, &[to_number, INPUT, u32]).op(59, &[to_number, number, INPUT]);
    words.op(32, &[to_position, OUTPUT, vec4]).op(59, &[to_position, position, OUTPUT]);
    words.op(32, &[to_painted, OUTPUT, u32]).op(59, &[to_painted, painted, OUTPUT]);
    let [one, two] = words.constants(u32, [1, 2]);
    #[expect(clippy::cast_precision_loss, reason = "pixels are few")]
    let [square, step] = [SQUARE, STEP].map(|pixels| 2.0 * pixels as f32 / crate::target::SIDE as f32);
    let [nothing, whole, square, step] = words.constants(f32, [0.0, 1.0, square, step].map(f32::to_bits));

    let [label, index, quarter, odd, half, lower, shade] = words.ids();
    words.op(54, &[void, main, 0, function]).op(248, &[label]).op(61, &[u32, index, number]);
    words.op(194, &[u32, quarter, index, two]).op(199, &[u32, odd, index, one]); // shifted right; and
    words.op(194, &[u32, half, index, one]).op(199, &[u32, lower, half, one]);
    words.op(128, &[u32, shade, quarter, one]).op(62, &[painted, shade]);
    let [[which, across, down], [first, right, bottom], [begin, x, y]] = [words.ids(), words.ids(), words.ids()];
    for (float, number) in [(which, quarter), (across, odd), (down, lower)] {
        words.op(112, &[f32, float, number]);
    }
    words.op(133, &[f32, first, which, step]).op(133, &[f32, right, across, square]);
    words.op(133, &[f32, bottom, down, square]).op(131, &[f32, begin, first, whole]);
    words.op(129, &[f32, x, begin, right]).op(131, &[f32, y, bottom, whole]);
    let [place] = words.ids();
    words.op(80, &[vec4, place, x, y, nothing, whole]).op(62, &[position, place]).end()
}

/// Writes the colour of the square.
pub(crate) fn fragment() -> Vec<u32> {
    fragment_of(&[1], &[], &[14]) // flat
}

/// The same into pixels that are floats.
pub(crate) fn fragment_of_floats() -> Vec<u32> {
    let mut words = Words::of(VERSION_1_4, 1);
    let [main, void, function, u32, f32, input, output, from, to, label, colour, float] = words.ids();
    words.needs(&[1], &[]).entry(FRAGMENT, main, &[from, to]);
    words.op(16, &[main, 7]); // the origin is the upper left
    words.op(71, &[from, 30, 0]).op(71, &[from, 14]).op(71, &[to, 30, 0]); // flat
    words.op(19, &[void]).op(33, &[function, void]).op(21, &[u32, 32, 0]).op(22, &[f32, 32]);
    words.op(32, &[input, INPUT, u32]).op(32, &[output, OUTPUT, f32]);
    words.op(59, &[input, from, INPUT]).op(59, &[output, to, OUTPUT]);
    words.op(54, &[void, main, 0, function]).op(248, &[label]);
    words.op(61, &[u32, colour, from]).op(112, &[f32, float, colour]).op(62, &[to, float]).end()
}

/// Writes the number that it gets, for which these are needed and which is decorated so.
pub(super) fn fragment_of(capabilities: &[u32], extensions: &[&str], decorations: &[u32]) -> Vec<u32> {
    let mut words = Words::of(VERSION_1_4, 1);
    let [main, void, function, u32, input, output, from, to, label, colour] = words.ids();
    words.needs(capabilities, extensions).entry(FRAGMENT, main, &[from, to]);
    words.op(16, &[main, 7]); // the origin is the upper left
    words.op(71, &[from, 30, 0]).op(71, &[to, 30, 0]);
    for decoration in decorations {
        words.op(71, &[from, *decoration]);
    }
    words.op(19, &[void]).op(33, &[function, void]).op(21, &[u32, 32, 0]);
    words.op(32, &[input, INPUT, u32]).op(32, &[output, OUTPUT, u32]);
    words.op(59, &[input, from, INPUT]).op(59, &[output, to, OUTPUT]);
    words.op(54, &[void, main, 0, function]).op(248, &[label]);
    words.op(61, &[u32, colour, from]).op(62, &[to, colour]).end()
}
