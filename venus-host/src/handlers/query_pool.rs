//! Query pools.

use venus_protocol::{args::*, dispatch::QueryPoolCommands, vk, wire::Command};

use super::{destroy, queried, with_room};
use crate::{
    driver::bounds,
    endpoint::Endpoint,
    error::Interrupt,
    object::{Detail, Queries},
};

/// What one query answers at most: a 64-bit number for each of the 13 pipeline statistics and for the availability, and
/// some to spare.
const QUERY_BYTES: u64 = 256;

/// How many numbers a query of a pool answers.
fn numbers(info: &vk::QueryPoolCreateInfo<'_>) -> u32 {
    match info.query_type {
        vk::QueryType::PIPELINE_STATISTICS => info.pipeline_statistics.as_raw().count_ones(),
        // Those that were written, and those that would have been.
        vk::QueryType::TRANSFORM_FEEDBACK_STREAM_EXT => 2,
        _ => 1,
    }
}

impl QueryPoolCommands for Endpoint {
    destroy! {
        destroy_query_pool(DestroyQueryPoolArgs).query_pool;
    }

    /// Drivers do not compare what is asked of a pool with how many queries it has.
    fn create_query_pool(&mut self, args: &mut CreateQueryPoolArgs<'_>) -> Result<vk::Result, Interrupt> {
        if args.p_create_info.query_count == 0 {
            return Err(self.invalid("pCreateInfo->queryCount", "is 0"));
        }
        let result = self.forward(args)?;
        if self.is_created(args.device.id, result, &args.p_query_pool) {
            let count = args.p_create_info.query_count;
            let detail = Detail::Queries(Queries { count, numbers: numbers(args.p_create_info) });
            self.adopt_as(args.device.id, &args.p_query_pool, detail)?;
        }
        Ok(result)
    }

    queried! {
        reset_query_pool(ResetQueryPoolArgs)
            => |args, count| bounds::span("queryCount", args.first_query, args.query_count, count);
    }

    /// Drivers write every query's results where the stride puts them, and most do not look whether that is inside.
    fn get_query_pool_results(&mut self, args: &mut GetQueryPoolResultsArgs<'_>) -> Result<vk::Result, Interrupt> {
        const NAME: &str = GetQueryPoolResultsArgs::NAME;
        let GetQueryPoolResultsArgs { device, query_pool, first_query, query_count, data_size, stride, flags, .. } =
            *args;
        self.check_queries(query_pool, |count| bounds::span("queryCount", first_query, query_count, count))?;
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
