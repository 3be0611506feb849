//! The query pool of an endpoint's last query command.

use venus_protocol::{vk, vk::Handle as _, wire::Handle};

use crate::object;

/// How many queries a pool has, and how long that can be trusted: commands name the same pool again and again, and asking
/// the table takes its lock.
#[derive(Debug, Default)]
pub(crate) struct QueryCount {
    /// 0 for none.
    pool: u64,
    /// What the driver calls it.
    raw: u64,
    queries: object::Queries,
    /// `Table::removals` when it was looked up.
    removals: u64,
}

impl QueryCount {
    /// What queries a pool has that the current command names; `None` if another ring has destroyed it since.
    ///
    /// The pool is the one of both names: another one may have its id by now, and this command uses the old one.
    #[inline]
    pub(crate) fn of(&mut self, objects: &object::Table, pool: Handle<vk::QueryPool>) -> Option<object::Queries> {
        let (id, raw, removals) = (pool.id, pool.raw.as_raw(), objects.removals());
        if self.pool != id || self.raw != raw || self.removals != removals {
            let queries = objects.queries(id, raw)?;
            *self = Self { pool: id, raw, queries, removals };
        }
        Some(self.queries)
    }
}
