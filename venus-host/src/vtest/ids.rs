//! Small numbers for what a guest names by number.

/// Small numbers, used again.
#[derive(Debug, Default)]
pub(super) struct Ids {
    free: Vec<u32>,
    used: u32,
}

impl Ids {
    /// A number that is not in use; never 0.
    pub(super) fn allocate(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.used = self.used.saturating_add(1);
            self.used
        })
    }

    /// Gives a number back.
    pub(super) fn free(&mut self, id: u32) {
        self.free.push(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_used_again() {
        let mut ids = Ids::default();
        let (first, second) = (ids.allocate(), ids.allocate());
        assert!(first != 0 && second != 0 && first != second);
        ids.free(first);
        assert_eq!(ids.allocate(), first);
    }
}
