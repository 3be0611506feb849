//! Query pools.

use venus_protocol::{args::*, dispatch::QueryPoolCommands, vk, wire::Command};

use super::{create, destroy, forward, with_room};
use crate::{endpoint::Endpoint, error::Interrupt};

/// What one query answers at most: a 64-bit number for each of the 13 pipeline statistics and for the availability, and
/// some to spare.
const QUERY_BYTES: u64 = 256;

impl QueryPoolCommands for Endpoint {
    create! {
        create_query_pool(CreateQueryPoolArgs<'_>).p_query_pool;
    }

    destroy! {
        destroy_query_pool(DestroyQueryPoolArgs).query_pool;
    }

    forward! {
        reset_query_pool(ResetQueryPoolArgs);
    }

    /// Drivers write every query's results where the stride puts them, and most do not look whether that is inside.
    fn get_query_pool_results(&mut self, args: &mut GetQueryPoolResultsArgs<'_>) -> Result<vk::Result, Interrupt> {
        const NAME: &str = GetQueryPoolResultsArgs::NAME;
        let GetQueryPoolResultsArgs { device, query_pool, first_query, query_count, data_size, stride, flags, .. } =
            *args;
        let last = u64::from(query_count).saturating_sub(1).saturating_mul(stride);
        with_room(NAME, args.p_data, last.saturating_add(QUERY_BYTES), |p_data| {
            self.forward(&mut GetQueryPoolResultsArgs {
                device,
                query_pool,
                first_query,
                query_count,
                data_size,
                p_data,
                stride,
                flags,
            })
        })
    }
}
