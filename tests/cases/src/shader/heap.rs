//! A shader whose resources a program may find in heaps.

use super::{ELEMENT, FREE, POINTER, U32, VARIABLE, VERSION, WIDTH, Words, ZERO};

/// Texels of a row of the image.
pub(crate) const TEXELS: u32 = 8;
/// Bindings of set 0.
pub(crate) const OUTPUT: u32 = 0;
pub(crate) const INPUT: u32 = 1;
pub(crate) const IMAGE: u32 = 2;
pub(crate) const SAMPLER: u32 = 3;
pub(crate) const FACTOR: u32 = 4;

/// `output[i] = input[i] * k + texel`, where k is the first pushed word or one of a uniform block, and the texel is the one at (i + 0.5) /
/// [`TEXELS`] of the first row, from 0 to 1 once across the image.
pub(crate) fn look_up(k_is_pushed: bool) -> Vec<u32> {
    let class = if k_is_pushed { 9 } else { 2 };
    let mut words = Words::of(VERSION, FREE);
    let [index, input, image, sampler, factor, block] = words.ids();
    words.needs(&[1], &[]).compute(WIDTH, &[index]).op(71, &[index, 11, 28]); // GlobalInvocationId
    for (variable, binding) in [(input, INPUT), (image, IMAGE), (sampler, SAMPLER)] {
        words.op(71, &[variable, 34, 0]).op(71, &[variable, 33, binding]);
    }
    if !k_is_pushed {
        words.op(71, &[factor, 34, 0]).op(71, &[factor, 33, FACTOR]);
    }
    words.op(71, &[block, 2]).op(72, &[block, 0, 35, 0]).types(); // Block; offset

    let [f32, vec2, vec4, uvec3] = words.ids();
    words.op(22, &[f32, 32]).op(23, &[vec2, f32, 2]).op(23, &[vec4, f32, 4]).op(23, &[uvec3, U32, 3]);
    let [of_image, of_sampler, of_both] = words.ids();
    words.op(25, &[of_image, f32, 1, 0, 0, 0, 1, 0]).op(26, &[of_sampler]).op(27, &[of_both, of_image]);
    words.op(30, &[block, U32]);
    let [to_index, to_image, to_sampler, to_block, to_word] = words.ids();
    words.op(32, &[to_index, 1, uvec3]).op(59, &[to_index, index, 1]);
    words.op(59, &[POINTER, input, 12]);
    words.op(32, &[to_image, 0, of_image]).op(59, &[to_image, image, 0]);
    words.op(32, &[to_sampler, 0, of_sampler]).op(59, &[to_sampler, sampler, 0]);
    words.op(32, &[to_block, class, block]).op(59, &[to_block, factor, class]).op(32, &[to_word, class, U32]);
    #[expect(clippy::cast_precision_loss, reason = "texels are few")]
    let numbers = [0.0, 0.5, 1.0 / TEXELS as f32].map(f32::to_bits);
    let [zero, half, part] = words.constants(f32, numbers);

    let [all, x, k, number] = words.ids();
    words.main().op(61, &[uvec3, all, index]).op(81, &[U32, x, all, 0]);
    let [k_place, input_place, output_place] = words.ids();
    words.op(65, &[to_word, k_place, factor, ZERO]).op(61, &[U32, k, k_place]);
    words.op(65, &[ELEMENT, input_place, input, ZERO, x]).op(61, &[U32, number, input_place]);
    let [float, middle, across, coordinates] = words.ids();
    words.op(112, &[f32, float, x]).op(129, &[f32, middle, float, half]).op(133, &[f32, across, middle, part]);
    words.op(80, &[vec2, coordinates, across, half]);
    let [the_image, the_sampler, both, texel, red, rounded] = words.ids();
    words.op(61, &[of_image, the_image, image]).op(61, &[of_sampler, the_sampler, sampler]);
    words.op(86, &[of_both, both, the_image, the_sampler]);
    words.op(88, &[vec4, texel, both, coordinates, 2, zero]); // at level 0
    words.op(81, &[f32, red, texel, 0]).op(109, &[U32, rounded, red]);
    let [product, sum] = words.ids();
    words.op(132, &[U32, product, number, k]).op(128, &[U32, sum, product, rounded]);
    words.op(65, &[ELEMENT, output_place, VARIABLE, ZERO, x]).op(62, &[output_place, sum]).end()
}
