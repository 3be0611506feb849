//! `vkQueueSubmit`, `vkGetQueryPoolResults`.

use venus_protocol::args::*;
use venus_protocol::vk::{self, Handle as _};
use venus_protocol::wire::{Arena, Command as _, CommandType, Handle};

use crate::bytes::{elements, encoded, reply, request, wire};

const SUBMIT: &str = "
    12000000           | command 18, vkQueueSubmit
    00000000           | flags: no reply
    04000000 00000000  | queue: id 4
    01000000           | submitCount
    01000000 00000000  | pSubmits: 1 structure
    04000000           | sType: VK_STRUCTURE_TYPE_SUBMIT_INFO
    00000000 00000000  | pNext: the chain is empty
    01000000           | waitSemaphoreCount
    01000000 00000000  | pWaitSemaphores: 1 handle
    21000000 00000000  | id 0x21
    01000000 00000000  | pWaitDstStageMask: 1 mask
    00100000           | VK_PIPELINE_STAGE_TRANSFER_BIT
    01000000           | commandBufferCount
    01000000 00000000  | pCommandBuffers: 1 handle
    10000000 00000000  | id 0x10
    00000000           | signalSemaphoreCount
    00000000 00000000  | pSignalSemaphores: null
    30000000 00000000  | fence: id 0x30
";

#[test]
fn queue_submit() {
    let (bytes, arena) = (wire(SUBMIT), Arena::default());
    assert_eq!(bytes.len(), 112);
    let mut decoder = request(&bytes, &arena, CommandType::QUEUE_SUBMIT, 0);
    let args = QueueSubmitArgs::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(args.queue, Handle::identity(4));
    assert_eq!(args.submit_count, 1);
    let [submit] = args.p_submits else { panic!("one submit") };
    assert_eq!(submit.s_type, vk::StructureType::SUBMIT_INFO);
    assert!(submit.p_next.is_null());
    assert_eq!(submit.wait_semaphore_count, 1);
    assert_eq!(elements(submit.p_wait_semaphores, 1)[0].as_raw(), 0x21);
    assert_eq!(elements(submit.p_wait_dst_stage_mask, 1), [vk::PipelineStageFlags::TRANSFER]);
    assert_eq!(submit.command_buffer_count, 1);
    assert_eq!(elements(submit.p_command_buffers, 1)[0].as_raw(), 0x10);
    assert_eq!(submit.signal_semaphore_count, 0);
    assert!(submit.p_signal_semaphores.is_null());
    assert_eq!(args.fence, Handle::identity(0x30));

    let (waits, stages) = ([vk::Semaphore::from_raw(0x21)], [vk::PipelineStageFlags::TRANSFER]);
    let buffers = [vk::CommandBuffer::from_raw(0x10)];
    let submit =
        vk::SubmitInfo::default().wait_semaphores(&waits).wait_dst_stage_mask(&stages).command_buffers(&buffers);
    let args = QueueSubmitArgs {
        queue: Handle::identity(4),
        submit_count: 1,
        p_submits: &[submit],
        fence: Handle::identity(0x30),
    };
    assert_eq!(encoded(|e| args.encode(e, 0)), bytes);
}

const RESULTS_REQUEST: &str = "
    31000000           | command 49, vkGetQueryPoolResults
    01000000           | flags: reply wanted
    03000000 00000000  | device: id 3
    90000000 00000000  | queryPool: id 0x90
    00000000           | firstQuery
    01000000           | queryCount
    08000000 00000000  | dataSize
    08000000 00000000  | pData: room for 8 bytes, which do not travel
    08000000 00000000  | stride
    01000000           | flags: VK_QUERY_RESULT_64_BIT
";

const RESULTS_REPLY: &str = "
    31000000           | command 49
    00000000           | VK_SUCCESS
    08000000 00000000  | pData: 8 bytes
    00010203 04050607  | the bytes
";

#[test]
fn get_query_pool_results() {
    let (bytes, arena) = (wire(RESULTS_REQUEST), Arena::default());
    assert_eq!(bytes.len(), 60);
    let mut decoder = request(&bytes, &arena, CommandType::GET_QUERY_POOL_RESULTS, 1);
    let args = GetQueryPoolResultsArgs::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(args.device, Handle::identity(3));
    assert_eq!(args.query_pool, Handle::identity(0x90));
    assert_eq!((args.first_query, args.query_count, args.data_size), (0, 1, 8));
    assert_eq!(args.p_data, [0; 8], "room for the results, zeroed");
    assert_eq!(args.stride, 8);
    assert_eq!(args.flags, vk::QueryResultFlags::TYPE_64);

    let mut room = [0; 8];
    let args = results_args(&mut room);
    assert_eq!(encoded(|e| args.encode(e, 1)), bytes);
}

fn results_args(p_data: &mut [u8]) -> GetQueryPoolResultsArgs<'_> {
    GetQueryPoolResultsArgs {
        device: Handle::identity(3),
        query_pool: Handle::identity(0x90),
        first_query: 0,
        query_count: 1,
        data_size: p_data.len(),
        p_data,
        stride: 8,
        flags: vk::QueryResultFlags::TYPE_64,
    }
}

#[test]
fn get_query_pool_results_reply() {
    let (bytes, arena) = (wire(RESULTS_REPLY), Arena::default());
    let mut decoder = reply(&bytes, &arena);
    let decoded = GetQueryPoolResultsArgs::decode_reply(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(decoded.returned, vk::Result::SUCCESS);
    assert_eq!(decoded.p_data, [0, 1, 2, 3, 4, 5, 6, 7]);

    let mut data = [0, 1, 2, 3, 4, 5, 6, 7];
    let args = results_args(&mut data);
    let by_hand = args.reply(vk::Result::SUCCESS);
    assert_eq!(encoded(|e| GetQueryPoolResultsArgs::encode_reply(e, &by_hand)), bytes);
}
