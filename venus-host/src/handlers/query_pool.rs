//! Query pools.

use venus_protocol::{args::*, dispatch::QueryPoolCommands, vk};

use super::{create, destroy, forward};
use crate::context::Dispatcher;

impl QueryPoolCommands for Dispatcher {
    create! {
        create_query_pool(CreateQueryPoolArgs<'_>).p_query_pool;
    }

    destroy! {
        destroy_query_pool(DestroyQueryPoolArgs).query_pool;
    }

    forward! {
        get_query_pool_results(GetQueryPoolResultsArgs<'_>);
        reset_query_pool(ResetQueryPoolArgs);
    }
}
