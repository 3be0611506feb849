//! Names of values: enums and bitmasks as Vulkan spells them.

use core::fmt;

use super::EnumRow;

impl EnumRow {
    /// The name of exactly this value; for a bitmask, of exactly this mask.
    pub fn name_of(&self, value: i64) -> Option<&'static str> {
        let value = self.truncated(value);
        let index = self.values.binary_search_by_key(&value, |(other, _)| *other).ok()?;
        self.values.get(index).map(|(_, name)| *name)
    }

    /// The value that `bytes` begin with, as they travel; `None` if there are too few of them.
    pub fn read(&self, bytes: &[u8]) -> Option<i64> {
        let value = match self.is_wide {
            true => i64::from_le_bytes(*bytes.first_chunk()?),
            false => i32::from_le_bytes(*bytes.first_chunk()?).into(),
        };
        Some(self.truncated(value))
    }

    /// Prints a value: by its name; a bitmask without one by the names of its bits, and what no name is left for in
    /// hexadecimal digits; anything else as a number.
    pub fn display(&self, value: i64) -> EnumValue<'_> {
        EnumValue { row: self, value: self.truncated(value) }
    }

    /// Without the sign's copies above the 32 bits of a bitmask.
    fn truncated(&self, value: i64) -> i64 {
        let is_mask = self.is_bits && !self.is_wide;
        if is_mask { value & i64::from(u32::MAX) } else { value }
    }
}

/// A value to be printed. Made by [`EnumRow::display`].
#[derive(Clone, Copy, Debug)]
pub struct EnumValue<'r> {
    row: &'r EnumRow,
    value: i64,
}

impl EnumValue<'_> {
    fn fmt_bits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.value.cast_unsigned();
        let mut separator = "";
        for (mask, name) in self.row.values {
            let mask = mask.cast_unsigned();
            if mask.is_power_of_two() && rest & mask != 0 {
                write!(f, "{separator}{name}")?;
                rest &= !mask;
                separator = " | ";
            }
        }
        match (rest, separator) {
            (0, "") => f.write_str("0"),
            (0, _) => Ok(()),
            (rest, _) => write!(f, "{separator}{rest:#x}"),
        }
    }
}

impl fmt::Display for EnumValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row.name_of(self.value) {
            Some(name) => f.write_str(name),
            None if self.row.is_bits => self.fmt_bits(f),
            None => write!(f, "{}", self.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use crate::reflect::row::{bits, enumeration, wide_bits};
    use crate::reflect::{self, EnumRow};

    static COLOR: EnumRow = enumeration("VkColor", &[(-4, "VK_COLOR_LOST"), (0, "VK_COLOR_RED"), (1_000_001_000, "X")]);
    static SIDE: EnumRow =
        bits("VkSideFlags", &[(0x1, "VK_SIDE_A_BIT"), (0x2, "VK_SIDE_B_BIT"), (0x3, "VK_SIDE_A_AND_B")]);
    static SIDE_2: EnumRow =
        wide_bits("VkSideFlags2", &[(i64::MIN, "VK_SIDE_2_LAST_BIT"), (0, "VK_SIDE_2_NONE"), (1, "VK_SIDE_2_A_BIT")]);

    #[track_caller]
    fn check(row: &EnumRow, value: i64, expected: &str) {
        assert_eq!(row.display(value).to_string(), expected);
    }

    #[test]
    fn enums_are_named_or_numbers() {
        check(&COLOR, 0, "VK_COLOR_RED");
        check(&COLOR, -4, "VK_COLOR_LOST");
        check(&COLOR, 1_000_001_000, "X");
        check(&COLOR, 7, "7");
        check(&COLOR, -7, "-7");
    }

    #[test]
    fn masks_are_named_bit_by_bit() {
        check(&SIDE, 0, "0");
        check(&SIDE, 2, "VK_SIDE_B_BIT");
        check(&SIDE, 3, "VK_SIDE_A_AND_B");
        check(&SIDE, 0x803, "VK_SIDE_A_BIT | VK_SIDE_B_BIT | 0x800");
        check(&SIDE, 0x800, "0x800");
        check(&SIDE, -1, "VK_SIDE_A_BIT | VK_SIDE_B_BIT | 0xfffffffc");
        check(&SIDE_2, 0, "VK_SIDE_2_NONE");
        check(&SIDE_2, i64::MIN | 1, "VK_SIDE_2_LAST_BIT | VK_SIDE_2_A_BIT");
    }

    #[test]
    fn values_are_read_as_they_travel() {
        assert_eq!(COLOR.read(&[0xfc, 0xff, 0xff, 0xff]), Some(-4));
        assert_eq!(SIDE.read(&[0, 0, 0, 0x80, 1]), Some(0x8000_0000));
        assert_eq!(SIDE_2.read(&[0, 0, 0, 0, 0, 0, 0, 0x80]), Some(i64::MIN));
        assert_eq!(COLOR.read(&[1, 2, 3]), None);
        assert_eq!(SIDE_2.read(&[1, 2, 3, 4]), None);
    }

    #[test]
    fn values_are_sorted_and_distinct() {
        assert!(reflect::enumerations().is_sorted_by(|left, right| left.name < right.name));
        for row in reflect::enumerations() {
            assert!(row.values.is_sorted_by(|(left, _), (right, _)| left < right), "{}", row.name);
            assert!(reflect::enumeration(row.name).is_some_and(|found| core::ptr::eq(found, *row)), "{}", row.name);
            for (value, name) in row.values {
                assert_eq!(row.display(*value).to_string(), *name);
            }
        }
    }
}
