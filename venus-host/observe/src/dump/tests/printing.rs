//! What each thing that can happen is printed as.

use venus_protocol::{reflect, wire::CommandType};

use super::{
    Bytes, RING, Script, buffer_reply, buffer_requirements, check, create_buffer, destroy_buffer, execute_streams,
    print, push_constants, requirements_reply, wait_idle,
};
use crate::{
    dump::{Detail, Filter, Options},
    recording::{Ending, Event, Header, Outcome, Place, Source},
};

#[test]
fn the_life_of_a_buffer() {
    let expected = "\
#0      0.000001s  ring 0x7f@640  vkCreateBuffer = VK_SUCCESS  1.00µs
    device = VkDevice 0x3
    pCreateInfo = VkBufferCreateInfo
        sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO
        pNext = [1]
            [0] = VkExternalMemoryBufferCreateInfo
                sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO
                handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT
        flags = 0
        size = 65536
        usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT
        sharingMode = VK_SHARING_MODE_EXCLUSIVE
        queueFamilyIndexCount = 0
        pQueueFamilyIndices = NULL
    pAllocator = NULL
    pBuffer = VkBuffer 0x12
#1      0.000003s  ring 0x7f@640  vkGetBufferMemoryRequirements2  1.00µs
    device = VkDevice 0x3
    pInfo = VkBufferMemoryRequirementsInfo2
        sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_REQUIREMENTS_INFO_2
        buffer = VkBuffer 0x12 (created by #0 vkCreateBuffer)
    pMemoryRequirements = VkMemoryRequirements2, to be filled
        sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2
        pNext = NULL
        memoryRequirements = VkMemoryRequirements, to be filled
  reply to #1
    pMemoryRequirements = VkMemoryRequirements2
        sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2
        pNext = NULL
        memoryRequirements = VkMemoryRequirements {size = 512, alignment = 16, memoryTypeBits = 7}
#2      0.000005s  ring 0x7f@640  vkDestroyBuffer  1.00µs
    device = VkDevice 0x3
    buffer = VkBuffer 0x12 (created by #0 vkCreateBuffer)
    pAllocator = NULL
#3      0.000007s  ring 0x7f@640  vkDestroyBuffer  1.00µs
    device = VkDevice 0x3
    buffer = VkBuffer 0x12 (created by #0 vkCreateBuffer, DESTROYED by #2 vkDestroyBuffer)
    pAllocator = NULL
  ! VkBuffer 0x12 was destroyed by #2 vkDestroyBuffer
        0.000009s  the guest leaves
4 commands in 9.00µs; complete: the guest left
";
    check(&Options::default(), Ending::Complete, expected, |script| {
        script.execute(&create_buffer(0x12, 65536), &buffer_reply(0x12, 0));
        script.execute(&buffer_requirements(0x12), &requirements_reply());
        script.execute(&destroy_buffer(0x12), &Bytes::default());
        script.execute(&destroy_buffer(0x12), &Bytes::default());
        script.event(Event::Left);
    });
}

#[test]
fn one_line_each() {
    let expected = "\
#0      0.000001s  ring 0x7f@640  vkCreateBuffer(device=0x3, pCreateInfo=VkBufferCreateInfo{…}, pBuffer=0x12) = \
VK_ERROR_OUT_OF_DEVICE_MEMORY  1.00µs
#1      0.000003s  ring 0x7f@640  vkDestroyBuffer(device=0x3, buffer=0x12)  1.00µs
  ! VkBuffer 0x12 does not exist: #0 vkCreateBuffer failed
#2      0.000005s  ring 0x7f@640  vkCmdPushConstants(commandBuffer=0x10, layout=NULL, \
stageFlags=VK_SHADER_STAGE_VERTEX_BIT, offset=0, size=8, pValues=8 bytes)  1.00µs
3 commands in 6.00µs; cut: the chunk at byte 100 is incomplete, its 7 bytes are left out
";
    let options = Options { detail: Detail::Brief, ..Options::default() };
    check(&options, Ending::Cut { at: 100, bytes: 7 }, expected, |script| {
        script.execute(&create_buffer(0x12, 65536), &buffer_reply(0x12, -2));
        script.execute(&destroy_buffer(0x12), &Bytes::default());
        script.execute(&push_constants(8), &Bytes::default());
    });
}

#[test]
fn what_was_left_out() {
    let expected = "\
#0      0.000001s  ring 0x7f@640  vkDestroyBuffer(device=0x3, buffer=0x12)  1.00µs  LEFT OUT: the buffer is of no use
1 command in 2.00µs; cut: the chunk at byte 100 is incomplete, its 7 bytes are left out
";
    let mut options = Options { detail: Detail::Brief, ..Options::default() };
    options.filter.set_only_failed();
    check(&options, Ending::Cut { at: 100, bytes: 7 }, expected, |script| {
        script.begin(RING, 0, 640, &destroy_buffer(0x12));
        let outcome = Outcome::LeftOut("the buffer is of no use".to_owned());
        script.event(Event::End { source: RING, depth: 0, outcome, reply: (&[][..]).into() });
    });
}

#[test]
fn values_of_all_kinds() {
    let clear = Bytes::request(CommandType::CMD_CLEAR_COLOR_IMAGE, 0)
        .double_word(0x10)
        .double_word(0)
        .word(7)
        .double_word(1)
        .word(2) // tag: uint32
        .double_word(4)
        .word(1.0_f32.to_bits())
        .word(0)
        .word(0)
        .word(0.5_f32.to_bits())
        .word(1)
        .double_word(1)
        .word(3)
        .word(0)
        .word(u32::MAX)
        .word(0)
        .word(1);
    let shader = Bytes::request(CommandType::CREATE_SHADER_MODULE, 0)
        .double_word(3)
        .double_word(1)
        .word(16)
        .double_word(0)
        .word(0)
        .double_word(8)
        .double_word(2)
        .word(0x0723_0203)
        .word(0x0001_0500)
        .double_word(0)
        .double_word(1)
        .double_word(0x13);
    let notify = Bytes::request(CommandType::NOTIFY_RING_MESA, 0).double_word(0x7f).word(9).word(0);
    let expected = "\
#0      0.000001s  ring 0x7f@640  vkCmdClearColorImage  1.00µs
    commandBuffer = VkCommandBuffer 0x10
    image = NULL
    imageLayout = VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL
    pColor = VkClearColorValue
        uint32 = [1065353216, 0, 0, 1056964608]
        float32 = [1.0, 0.0, 0.0, 0.5] (the same bits)
    rangeCount = 1
    pRanges = [1]
        [0] = VkImageSubresourceRange
            aspectMask = VK_IMAGE_ASPECT_COLOR_BIT | VK_IMAGE_ASPECT_DEPTH_BIT
            baseMipLevel = 0
            levelCount = 0xffffffff
            baseArrayLayer = 0
            layerCount = 1
#1      0.000003s  ring 0x7f@640  vkCreateShaderModule  1.00µs
    device = VkDevice 0x3
    pCreateInfo = VkShaderModuleCreateInfo
        sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO
        flags = 0
        codeSize = 8
        pCode = SPIR-V 1.5, 8 bytes
    pAllocator = NULL
    pShaderModule = VkShaderModule 0x13
#2      0.000005s  ring 0x7f@640  vkNotifyRingMESA  1.00µs
    ring = 0x7f
    seqno = 9
    flags = 0
3 commands in 6.00µs; complete: the guest left
";
    check(&Options::default(), Ending::Complete, expected, |script| {
        for request in [&clear, &shader, &notify] {
            script.execute(request, &Bytes::default());
        }
    });
}

#[test]
fn a_clear_value_is_shown_as_all_that_it_may_be() {
    let clear = Bytes::request(CommandType::CMD_CLEAR_ATTACHMENTS, 0)
        .double_word(0x10)
        .word(1)
        .double_word(1)
        .word(2)
        .word(0)
        .word(0) // tag: color
        .word(2) // tag: uint32
        .double_word(4)
        .word(0.5_f32.to_bits())
        .word(7)
        .word(0)
        .word(0)
        .word(0)
        .double_word(0);
    let expected = "\
#0      0.000001s  ring 0x7f@640  vkCmdClearAttachments  1.00µs
    commandBuffer = VkCommandBuffer 0x10
    attachmentCount = 1
    pAttachments = [1]
        [0] = VkClearAttachment
            aspectMask = VK_IMAGE_ASPECT_DEPTH_BIT
            colorAttachment = 0
            clearValue = VkClearValue
                color = VkClearColorValue
                    uint32 = [1056964608, 7, 0, 0]
                    float32 = [0.5, 1e-44, 0.0, 0.0] (the same bits)
                depthStencil = VkClearDepthStencilValue {depth = 0.5, stencil = 7} (the same bits)
    rectCount = 0
    pRects = NULL
1 command in 2.00µs; complete: the guest left
";
    check(&Options::default(), Ending::Complete, expected, |script| script.execute(&clear, &Bytes::default()));
}

#[test]
fn long_values_are_shortened_unless_asked_for() {
    let play = |script: &mut Script<'_>| script.execute(&push_constants(40), &Bytes::default());
    let ending = Ending::Complete;
    let usual = print(&Options::default(), ending, play);
    assert!(usual.contains("pValues = 40 bytes: 00000000 01000000"), "{usual}");
    assert!(usual.contains("07000000 … 8 more\n"), "{usual}");
    let full = print(&Options { detail: Detail::Full, ..Options::default() }, ending, play);
    assert!(full.contains("08000000 09000000\n"), "{full}");
}

#[test]
fn streams_nest_and_endpoints_overlap() {
    let expected = "\
#0      0.000001s  ring 0x7f@640  vkDeviceWaitIdle(device=0x3) = VK_SUCCESS  6.00µs
#1      0.000002s  direct@0  vkExecuteCommandStreamsMESA(streamCount=1, pStreams=[1], pReplyPositions=NULL, \
dependencyCount=0, pDependencies=NULL, flags=0)  4.00µs
        0.000003s  direct: stream of 4 bytes at byte 64 of resource 5
    #2      0.000004s  @0  vkDestroyBuffer(device=0x3, buffer=0x12)  1.00µs
#3      0.000008s  ring 0x7f@0  vkDeviceWaitIdle(device=0x3)  (still executing when the recording ends)
4 commands in 8.00µs; ends at byte 99 before the guest left: the server was killed or is still recording
";
    let options = Options { detail: Detail::Brief, ..Options::default() };
    check(&options, Ending::Open { bytes: 99 }, expected, |script| {
        script.begin(RING, 0, 640, &wait_idle());
        script.begin(Source::Direct, 0, 0, &execute_streams());
        script.event(Event::Stream { source: Source::Direct, resource: 5, offset: 64, bytes: (&[0; 4][..]).into() });
        script.begin(Source::Direct, 1, 0, &destroy_buffer(0x12));
        script.end(Source::Direct, 1, &Bytes::default());
        script.end(Source::Direct, 0, &Bytes::default());
        script.end(RING, 0, &Bytes::reply(CommandType::DEVICE_WAIT_IDLE).word(0));
        script.begin(RING, 0, 0, &wait_idle());
    });
}

#[test]
fn events_of_all_kinds() {
    let expected = "        0.000001s  resource 1: 4096 bytes, mappable
        0.000002s  resource 2: 64 bytes of VkDeviceMemory 0x9, mappable, shareable  FAILED: no memory
        0.000003s  fence 0 on timeline 1
        0.000004s  fence 0 retires  1.00µs
        0.000005s  memory of resource 1 from byte 8 on: 2 bytes: abcd
        0.000006s  resource 1 is dropped
        0.000007s  THE CONTEXT IS LOST: vkCmdDraw: no
0 commands in 7.00µs; damaged at byte 5: a chunk's checksum is wrong; nothing after that is read
";
    let ending = Ending::Damaged { at: 5, reason: "a chunk's checksum is wrong" };
    check(&Options::default(), ending, expected, |script| {
        script.event(Event::Blob { resource: 1, flags: 1, blob_id: 0, size: 4096, error: None });
        let error = Some("no memory".to_owned());
        script.event(Event::Blob { resource: 2, flags: 3, blob_id: 9, size: 64, error });
        script.event(Event::Fence { ring_idx: 1, number: 0 });
        script.event(Event::Retired { number: 0 });
        script.event(Event::Memory { resource: 1, offset: 8, bytes: (&[0xab, 0xcd][..]).into() });
        script.event(Event::Unref { resource: 1 });
        script.event(Event::Lost { reason: "vkCmdDraw: no".to_owned() });
    });
}

#[test]
fn bytes_that_are_no_command_are_followed_as_far_as_possible() {
    let expected = "\
!       0.000001s  ring 0x7f@640  vkCreateBuffer
    device = VkDevice 0x3
    pCreateInfo = VkBufferCreateInfo
        sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO
        pNext = NULL
  ! not executed: unknown structure
  ! stops at byte 36, pCreateInfo->pNext: 5 (VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO) must not follow in the chain of \
VkBufferCreateInfo
    05000000 00000000 00000000 00020000
!       0.000002s  ring 0x7f@640  bytes that are no command
  ! not executed: unknown command
  ! stops at byte 0: vkMapMemory never travels: it returns a pointer
    17000000 00000000
!       0.000003s  ring 0x7f@640  vkDestroyBuffer
    device = VkDevice 0x3
  ! not executed: too short
  ! stops at byte 16, buffer: the bytes end inside it
    12000000
0 commands in 3.00µs; complete: the guest left
";
    let mut wrong_chain = create_buffer(0x12, 1);
    wrong_chain.0[36..40].copy_from_slice(&5_u32.to_le_bytes());
    let mut truncated = destroy_buffer(0x12);
    truncated.0.truncate(20);
    let obstacle = reflect::obstacle(CommandType::MAP_MEMORY).unwrap();
    let expected = expected.replace("it returns a pointer", obstacle);
    let play = |script: &mut Script<'_>| {
        let place = Place { source: RING, depth: 0, position: 640 };
        let mut undecodable = |bytes: &Bytes, reason: &str| {
            let bytes = bytes.0.as_slice().into();
            script.event(Event::Undecodable { place, bytes, reason: reason.to_owned() });
        };
        undecodable(&wrong_chain, "unknown structure");
        undecodable(&Bytes::request(CommandType::MAP_MEMORY, 0), "unknown command");
        undecodable(&truncated, "too short");
    };
    check(&Options::default(), Ending::Complete, &expected, play);
    let json = print(&Options { json: true, ..Options::default() }, Ending::Complete, play);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&first["kind"], &first["reason"]), (&"undecodable".into(), &"unknown structure".into()));
    assert_eq!((&first["stop"]["offset"], &first["stop"]["path"]), (&36.into(), &"pCreateInfo->pNext".into()));
    assert_eq!((&first["ended"], &first["command"]), (&false.into(), &"vkCreateBuffer".into()));
}

#[test]
fn pools_take_what_was_allocated_from_them() {
    let allocate = Bytes::request(CommandType::ALLOCATE_COMMAND_BUFFERS, 0)
        .double_word(3)
        .double_word(1)
        .word(40)
        .double_word(0)
        .double_word(0x20) // commandPool
        .word(0)
        .word(2) // commandBufferCount
        .double_word(2)
        .double_word(0x21)
        .double_word(0x22);
    let destroy_pool =
        Bytes::request(CommandType::DESTROY_COMMAND_POOL, 0).double_word(3).double_word(0x20).double_word(0);
    let end = |id| Bytes::request(CommandType::END_COMMAND_BUFFER, 0).double_word(id);
    let printed = print(&Options { detail: Detail::Brief, ..Options::default() }, Ending::Complete, |script| {
        for request in [&allocate, &end(0x21), &destroy_pool, &end(0x22)] {
            script.execute(request, &Bytes::default());
        }
    });
    let complaints: Vec<_> = printed.lines().filter(|line| line.contains('!')).collect();
    // The pool itself was created before the recording began: what is not known cannot end.
    assert_eq!(complaints, Vec::<&str>::new(), "{printed}");

    let create_pool = Bytes::request(CommandType::CREATE_COMMAND_POOL, 0)
        .double_word(3)
        .double_word(1)
        .word(39)
        .double_word(0)
        .word(0)
        .word(0)
        .double_word(0)
        .double_word(1)
        .double_word(0x20);
    let printed = print(&Options { detail: Detail::Brief, ..Options::default() }, Ending::Complete, |script| {
        for request in [&create_pool, &allocate, &end(0x21), &destroy_pool, &end(0x22)] {
            script.execute(request, &Bytes::default());
        }
    });
    let complaints: Vec<_> = printed.lines().filter(|line| line.contains('!')).collect();
    assert_eq!(complaints, ["  ! VkCommandBuffer 0x22 was destroyed by #3 vkDestroyCommandPool"], "{printed}");
}

#[test]
fn filters_choose() {
    let play = |script: &mut Script<'_>| {
        script.execute(&create_buffer(0x12, 1), &buffer_reply(0x12, -1));
        script.execute(&create_buffer(0x13, 1), &buffer_reply(0x13, 0));
        script.begin(Source::Direct, 0, 0, &destroy_buffer(0x13));
        script.end(Source::Direct, 0, &Bytes::default());
        script.event(Event::Unref { resource: 1 });
        script.event(Event::Lost { reason: "gone".to_owned() });
    };
    let shown = |set: &dyn Fn(&mut Filter)| {
        let mut options = Options { detail: Detail::Brief, ..Options::default() };
        set(&mut options.filter);
        let printed = print(&options, Ending::Complete, play);
        let lines = printed.lines().filter_map(|line| line.split_whitespace().find(|word| word.len() > 1));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    // The last line counts all commands, and the loss of the context is never hidden.
    assert_eq!(shown(&|_| {}), ["#0", "#1", "#2", "0.000007s", "0.000008s", "commands"]);
    assert_eq!(shown(&|filter| filter.set_only_failed()), ["#0", "0.000008s", "commands"]);
    assert_eq!(shown(&|filter| filter.add_object("0x13").unwrap()), ["#1", "#2", "0.000008s", "commands"]);
    assert_eq!(shown(&|filter| filter.add_command("destroy").unwrap()), ["#2", "0.000008s", "commands"]);
    assert_eq!(shown(&|filter| filter.add_source("direct").unwrap()), ["#2", "0.000008s", "commands"]);
    assert_eq!(shown(&|filter| filter.set_range("1").unwrap()), ["#1", "commands"]);
    let middle = |filter: &mut Filter| filter.set_time(Some("3us"), Some("7us")).unwrap();
    assert_eq!(shown(&middle), ["#1", "#2", "0.000007s", "commands"]);
}

#[test]
fn json_is_an_object_a_line() {
    let options = Options { json: true, ..Options::default() };
    let expected = concat!(
        r#"{"kind":"command","n":0,"time_ns":1000,"source":"ring","ring":"0x7f","depth":0,"position":640,"#,
        r#""command":"vkCreateBuffer","request_bytes":108,"wants_reply":true,"args":{"device":{"type":"VkDevice","#,
        r#""id":"0x3"},"pCreateInfo":{"struct":"VkBufferCreateInfo","sType":"VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO","#,
        r#""pNext":[{"struct":"VkExternalMemoryBufferCreateInfo","#,
        r#""sType":"VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO","#,
        r#""handleTypes":"VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT"}],"flags":0,"#,
        r#""size":"18446744073709551615","#,
        r#""usage":"VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT","#,
        r#""sharingMode":"VK_SHARING_MODE_EXCLUSIVE","queueFamilyIndexCount":0,"pQueueFamilyIndices":null},"#,
        r#""pAllocator":null,"pBuffer":{"type":"VkBuffer","id":"0x12"}},"ended":true,"duration_ns":1000,"#,
        r#""outcome":"done","reply_bytes":24,"return":"VK_SUCCESS","outputs":{"pBuffer":{"type":"VkBuffer","#,
        r#""id":"0x12","created_by":0}}}"#,
        "\n",
        r#"{"kind":"left","time_ns":3000}"#,
        "\n",
        r#"{"kind":"ending","ending":"complete","text":"complete: the guest left","commands":1}"#,
        "\n",
    );
    check(&options, Ending::Complete, expected, |script| {
        script.execute(&create_buffer(0x12, u64::MAX), &buffer_reply(0x12, 0));
        script.event(Event::Left);
    });
}

#[test]
fn statistics_leave_nested_time_to_the_nested() {
    let options = Options { statistics: true, ..Options::default() };
    let expected = "\
command                         count  failed request bytes  reply bytes     total      mean       max   share
vkDestroyBuffer                     2       0            64            0    3.00µs    1.50µs    2.00µs   60.0%
vkCreateBuffer                      1       1           108           24    1.00µs    1.00µs    1.00µs   20.0%
vkExecuteCommandStreamsMESA         1       0            64            0    1.00µs    1.00µs    1.00µs   20.0%
all                                 4       1           236           24    5.00µs    1.25µs    2.00µs  100.0%
4 commands in 8.00µs; complete: the guest left
";
    let play = |script: &mut Script<'_>| {
        script.execute(&create_buffer(0x12, 1), &buffer_reply(0x12, -1));
        script.execute(&destroy_buffer(0x12), &Bytes::default());
        script.begin(Source::Direct, 0, 0, &execute_streams());
        script.begin(Source::Direct, 1, 0, &destroy_buffer(0x12));
        script.time_ns += 1_000;
        script.end(Source::Direct, 1, &Bytes::default());
        script.time_ns -= 1_000;
        script.end(Source::Direct, 0, &Bytes::default());
    };
    check(&options, Ending::Complete, expected, play);
    let json = print(&Options { json: true, ..options }, Ending::Complete, play);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&first["kind"], &first["command"]), (&"statistics".into(), &"vkDestroyBuffer".into()));
    assert_eq!((&first["count"], &first["total_ns"], &first["share"]), (&2.into(), &3000.into(), &0.6.into()));
}

#[test]
fn what_waits_for_too_long_is_printed_in_two_parts() {
    let long = push_constants(2 << 20);
    let play = |script: &mut Script<'_>| {
        script.begin(RING, 0, 640, &wait_idle());
        for _ in 0..5 {
            script.begin(Source::Direct, 0, 0, &long);
            script.end(Source::Direct, 0, &Bytes::default());
        }
        script.end(RING, 0, &Bytes::reply(CommandType::DEVICE_WAIT_IDLE).word(u32::MAX - 3));
    };
    let text = print(&Options { detail: Detail::Full, ..Options::default() }, Ending::Complete, play);
    let lines: Vec<_> = text.lines().filter(|line| line.contains("vkDeviceWaitIdle")).collect();
    assert_eq!(
        lines,
        [
            "#0      0.000001s  ring 0x7f@640  vkDeviceWaitIdle  (its end follows)",
            "        0.000012s  end of #0 vkDeviceWaitIdle = VK_ERROR_DEVICE_LOST  11.0µs",
        ]
    );
    let json = print(&Options { json: true, ..Options::default() }, Ending::Complete, play);
    let lines: Vec<_> = json.lines().filter(|line| line.contains("vkDeviceWaitIdle")).collect();
    assert!(lines[0].ends_with(r#","ended":false}"#), "{}", lines[0]);
    let expected = r#"{"kind":"end","n":0,"time_ns":12000,"command":"vkDeviceWaitIdle","ended":true,"#;
    assert!(lines[1].starts_with(expected), "{}", lines[1]);
}

#[test]
fn the_header_comes_first() {
    let header = Header {
        name: "cube \"x\"".to_owned(),
        recorder: "venus-host 0.1.0".to_owned(),
        started_unix_ns: 1_795_258_289_000_000_000,
        profile: "native".to_owned(),
        has_memory: true,
    };
    let printed = print(&Options::default(), Ending::Complete, |script| script.follower.header(&header).unwrap());
    let expected = "recording of \"cube \\\"x\\\"\" by venus-host 0.1.0, begun 2026-11-21 10:51:29 UTC, profile native, \
                    with memory\n";
    assert!(printed.starts_with(expected), "{printed}");
}
