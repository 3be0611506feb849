//! Cooperative matrices: small whole numbers, of which every kind of component has the exact product.

use crate::Skip;
use crate::compute::{Compute, Wanted, module};
use crate::device::Found;
use crate::shader::matrix::{Component, Matrix, multiply as shader};
use crate::work::run;
use anyhow::{Context as _, Result, ensure};
use ash::khr::cooperative_matrix;
use ash::vk;

/// A component that we know, by Vulkan's name of it.
fn component(ty: vk::ComponentTypeKHR) -> Option<Component> {
    Some(match ty {
        vk::ComponentTypeKHR::FLOAT16 => Component::F16,
        vk::ComponentTypeKHR::FLOAT32 => Component::F32,
        vk::ComponentTypeKHR::SINT8 => Component::I8,
        vk::ComponentTypeKHR::UINT8 => Component::U8,
        vk::ComponentTypeKHR::SINT32 => Component::I32,
        vk::ComponentTypeKHR::UINT32 => Component::U32,
        _ => return None,
    })
}

/// Matrices of one row of the device's table, one after another: A, B, C and the result.
fn matrices(row: &vk::CooperativeMatrixPropertiesKHR<'_>) -> Option<[Matrix; 4]> {
    let (m, n, k) = (row.m_size, row.n_size, row.k_size);
    let shapes = [(row.a_type, m, k), (row.b_type, k, n), (row.c_type, m, n), (row.result_type, m, n)];
    let mut at = 0;
    let mut all = Vec::new();
    for (ty, rows, columns) in shapes {
        let matrix = Matrix { of: component(ty)?, rows, columns, at };
        at = matrix.end();
        all.push(matrix);
    }
    // The result of bytes would not fit into a byte.
    let fits = row.scope == vk::ScopeKHR::SUBGROUP && all[3].of.bytes() > 1;
    fits.then(|| all.try_into().expect("there are four"))
}

/// What is in a matrix: numbers that differ by row and column, none of them above 7, so that sums stay below 2048.
fn number(matrix: Matrix, row: u32, column: u32, kind: u32) -> i32 {
    let value = (row * (5 + kind) + column * (3 + 4 * kind) + kind) % 13;
    let value = i32::try_from(value).expect("it is below 13");
    if matches!(matrix.of, Component::U8 | Component::U32) { value / 2 } else { value - 6 }
}

/// A whole number as this component has it.
fn bits(of: Component, number: i32) -> u32 {
    match of {
        Component::F16 => u32::from(half(number)),
        #[expect(clippy::cast_precision_loss, reason = "numbers are small")]
        Component::F32 => (number as f32).to_bits(),
        Component::I8 | Component::U8 => u32::from(number.to_ne_bytes()[0]),
        Component::I32 | Component::U32 => number.cast_unsigned(),
    }
}

/// A whole number below 2048 as half a float.
fn half(number: i32) -> u16 {
    let Some(exponent) = number.unsigned_abs().checked_ilog2() else { return 0 };
    let fraction = (number.unsigned_abs() << (10 - exponent)) & 0x3ff;
    let sign = u32::from(number < 0) << 15;
    u16::try_from(sign | (exponent + 15) << 10 | fraction).expect("it is below 2048")
}

/// Writes a matrix into the words of a buffer.
fn put(words: &mut [u32], matrix: Matrix, value: impl Fn(u32, u32) -> i32) {
    let each = 4 / matrix.of.bytes();
    for row in 0..matrix.rows {
        for column in 0..matrix.columns {
            let word = matrix.at + row * matrix.stride() + column / each;
            let shift = column % each * 8 * matrix.of.bytes();
            words[usize::try_from(word).expect("buffers are small")] |= bits(matrix.of, value(row, column)) << shift;
        }
    }
}

/// The words of A, B and C, with the result still nothing, and the same once it is there.
fn before_and_after(all: [Matrix; 4]) -> Result<(Vec<u32>, Vec<u32>)> {
    let [a, b, c, result] = all;
    let mut before = vec![0; usize::try_from(result.end())?];
    put(&mut before, a, |row, column| number(a, row, column, 0));
    put(&mut before, b, |row, column| number(b, row, column, 1));
    put(&mut before, c, |row, column| number(c, row, column, 2));
    let mut after = before.clone();
    put(&mut after, result, |row, column| {
        let product = |k| number(a, row, k, 0) * number(b, k, column, 1);
        (0..a.columns).map(product).sum::<i32>() + number(c, row, column, 2)
    });
    Ok((before, after))
}

pub(super) fn multiply(_: u32) -> Result<String> {
    let found = Found::new()?;
    found.require(cooperative_matrix::NAME, "not supported: VK_KHR_cooperative_matrix")?;
    let has: vk::PhysicalDeviceCooperativeMatrixFeaturesKHR<'_> = found.features_in();
    let small: vk::PhysicalDeviceVulkan12Features<'_> = found.features_in();
    let instance = cooperative_matrix::Instance::new(&found.entry, &found.instance);
    let table = unsafe { instance.get_physical_device_cooperative_matrix_properties(found.physical) };
    let table = table.context("vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR")?;
    let known: Vec<_> = table.iter().filter_map(|row| Some((row, matrices(row)?))).collect();
    if has.cooperative_matrix == 0 || known.is_empty() {
        return Err(Skip("not supported: matrices of a subgroup").into());
    }
    let subgroup: vk::PhysicalDeviceVulkan11Properties<'_> = found.properties_in();

    let mut wanted = vk::PhysicalDeviceCooperativeMatrixFeaturesKHR::default().cooperative_matrix(true);
    let mut model = vk::PhysicalDeviceVulkan12Features::default().vulkan_memory_model(true);
    (model.shader_float16, model.shader_int8) = (small.shader_float16, small.shader_int8);
    let names = [cooperative_matrix::NAME.as_ptr()];
    let info = vk::DeviceCreateInfo::default().enabled_extension_names(&names);
    let gpu = found.open(info.push_next(&mut wanted).push_next(&mut model))?;
    let compute = Compute::new(&gpu)?;
    for (row, all) in &known {
        let (before, after) = before_and_after(*all)?;
        let code = shader(*all, subgroup.subgroup_size, row.saturating_accumulation != 0);
        let (answer, pipelines) = compute.create(&gpu, &[Wanted::new(module(&gpu, &code)?, 0)]);
        answer.result().with_context(|| format!("a pipeline of {all:?}"))?;
        compute.buffer.write(&before);
        run(&gpu, |device, commands| compute.dispatch(device, commands, pipelines[0], 1))?;
        let wrong = compute.buffer.words().zip(&after).position(|(word, right)| word != *right);
        ensure!(wrong.is_none(), "word {wrong:?} is wrong for {all:?}");
        unsafe { gpu.device.destroy_pipeline(pipelines[0], None) };
    }
    Ok(format!("{} of {} kinds of matrices are multiplied", known.len(), table.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_whole_numbers() {
        let cases = [(0, 0), (1, 0x3c00), (-1, 0xbc00), (2, 0x4000), (3, 0x4200), (1023, 0x63fe), (-2047, 0xe7ff)];
        for (number, expected) in cases {
            assert_eq!(half(number), expected, "{number}");
        }
    }

    #[test]
    fn matrices_follow_each_other_and_sums_stay_small() {
        let row = vk::CooperativeMatrixPropertiesKHR {
            m_size: 32,
            n_size: 32,
            k_size: 32,
            a_type: vk::ComponentTypeKHR::UINT8,
            b_type: vk::ComponentTypeKHR::SINT8,
            c_type: vk::ComponentTypeKHR::SINT32,
            result_type: vk::ComponentTypeKHR::SINT32,
            scope: vk::ScopeKHR::SUBGROUP,
            ..Default::default()
        };
        let all = matrices(&row).unwrap();
        assert_eq!(all.map(|matrix| matrix.at), [0, 256, 512, 1536]);
        let (before, after) = before_and_after(all).unwrap();
        assert_eq!(before[..1536], after[..1536]);
        assert!(after[1536..].iter().all(|sum| sum.cast_signed().abs() < 2048));
        assert!(after[1536..].iter().any(|sum| *sum != 0));
    }
}
