//! `vkEnumerateInstanceVersion`, `vkCreateInstance`.

use venus_protocol::args::*;
use venus_protocol::vk::{self, Handle as _};
use venus_protocol::wire::{Arena, Command as _, CommandType, NewHandles};

use crate::bytes::{elements, encoded, pointee, reply, request, text, wire};

const VERSION_REQUEST: &str = "
    89000000           | command 137, vkEnumerateInstanceVersion
    01000000           | flags: reply wanted
    01000000 00000000  | pApiVersion is there; what it points to does not travel
";

const VERSION_REPLY: &str = "
    89000000           | command 137
    00000000           | VK_SUCCESS
    01000000 00000000  | pApiVersion is there
    33414000           | version 1.4.307
";

#[test]
fn enumerate_instance_version() {
    let (bytes, arena) = (wire(VERSION_REQUEST), Arena::default());
    let mut decoder = request(&bytes, &arena, CommandType::ENUMERATE_INSTANCE_VERSION, 1);
    let args = EnumerateInstanceVersionArgs::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(*args.p_api_version, 0, "room for the version, zeroed");

    let args = EnumerateInstanceVersionArgs { p_api_version: &mut 0 };
    assert_eq!(encoded(|e| args.encode(e, 1)), bytes);
}

#[test]
fn enumerate_instance_version_reply() {
    let (bytes, arena) = (wire(VERSION_REPLY), Arena::default());
    let mut decoder = reply(&bytes, &arena);
    let decoded = EnumerateInstanceVersionArgs::decode_reply(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!(decoded.returned, vk::Result::SUCCESS);
    assert_eq!(decoded.p_api_version, Some(&vk::make_api_version(0, 1, 4, 307)));

    let args = EnumerateInstanceVersionArgs { p_api_version: &mut vk::make_api_version(0, 1, 4, 307) };
    let by_hand = args.reply(vk::Result::SUCCESS);
    assert_eq!(encoded(|e| EnumerateInstanceVersionArgs::encode_reply(e, &by_hand)), bytes);
}

const CREATE_REQUEST: &str = "
    00000000                             | command 0, vkCreateInstance
    01000000                             | flags: reply wanted
    01000000 00000000                    | pCreateInfo is there
    01000000                             | sType: VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO
    00000000 00000000                    | pNext: the chain is empty
    00000000                             | flags
    01000000 00000000                    | pApplicationInfo is there
    00000000                             | its sType: VK_STRUCTURE_TYPE_APPLICATION_INFO
    00000000 00000000                    | its pNext: the chain is empty
    04000000 00000000                    | pApplicationName: 4 bytes with NUL
    61707000                             | \"app\"
    01000000                             | applicationVersion
    00000000 00000000                    | pEngineName: null
    00000000                             | engineVersion
    00304000                             | apiVersion: 1.3.0
    01000000                             | enabledLayerCount
    01000000 00000000                    | ppEnabledLayerNames: 1 string
    0b000000 00000000                    | of 11 bytes with NUL
    564b5f4c 41594552 5f780000           | \"VK_LAYER_x\", NUL, 1 byte of padding
    01000000                             | enabledExtensionCount
    01000000 00000000                    | ppEnabledExtensionNames: 1 string
    0f000000 00000000                    | of 15 bytes with NUL
    564b5f4b 48525f73 75726661 63650000  | \"VK_KHR_surface\", NUL, 1 byte of padding
    00000000 00000000                    | pAllocator: null
    01000000 00000000                    | pInstance is there
    01000000 00000000                    | the id for the instance: 1
";

const CREATE_REPLY: &str = "
    00000000           | command 0
    00000000           | VK_SUCCESS
    01000000 00000000  | pInstance is there
    01000000 00000000  | the guest's id: 1
";

#[test]
fn create_instance() {
    let (bytes, arena) = (wire(CREATE_REQUEST), Arena::default());
    assert_eq!(bytes.len(), 176);
    let mut decoder = request(&bytes, &arena, CommandType::CREATE_INSTANCE, 1);
    let args = CreateInstanceArgs::decode(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    let info = args.p_create_info;
    assert_eq!(info.s_type, vk::StructureType::INSTANCE_CREATE_INFO);
    assert!(info.p_next.is_null());
    assert!(info.flags.is_empty());
    let application = pointee(info.p_application_info);
    assert_eq!(application.s_type, vk::StructureType::APPLICATION_INFO);
    assert!(application.p_next.is_null());
    assert_eq!(text(application.p_application_name), c"app");
    assert_eq!(application.application_version, 1);
    assert!(application.p_engine_name.is_null());
    assert_eq!(application.engine_version, 0);
    assert_eq!(application.api_version, vk::API_VERSION_1_3);
    assert_eq!(info.enabled_layer_count, 1);
    assert_eq!(text(elements(info.pp_enabled_layer_names, 1)[0]), c"VK_LAYER_x");
    assert_eq!(info.enabled_extension_count, 1);
    assert_eq!(text(elements(info.pp_enabled_extension_names, 1)[0]), c"VK_KHR_surface");
    assert_eq!(args.p_instance.ids, [1]);
    assert_eq!(args.p_instance.raws, [vk::Instance::null()], "the driver's handle is not there yet");

    let application =
        vk::ApplicationInfo::default().application_name(c"app").application_version(1).api_version(vk::API_VERSION_1_3);
    let (layers, extensions) = ([c"VK_LAYER_x".as_ptr()], [c"VK_KHR_surface".as_ptr()]);
    let info = vk::InstanceCreateInfo::default()
        .application_info(&application)
        .enabled_layer_names(&layers)
        .enabled_extension_names(&extensions);
    let p_instance = NewHandles { ids: &mut [1], raws: &mut [vk::Instance::null()] };
    let args = CreateInstanceArgs { p_create_info: &info, p_instance };
    assert_eq!(encoded(|e| args.encode(e, 1)), bytes);
}

#[test]
fn create_instance_reply() {
    let (bytes, arena) = (wire(CREATE_REPLY), Arena::default());
    let mut decoder = reply(&bytes, &arena);
    let decoded = CreateInstanceArgs::decode_reply(&mut decoder).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert_eq!((decoded.returned, decoded.p_instance), (vk::Result::SUCCESS, Some(1)));

    let info = vk::InstanceCreateInfo::default();
    // What the driver made is its own business: the guest knows the instance by the id it chose.
    let p_instance = NewHandles { ids: &mut [1], raws: &mut [vk::Instance::from_raw(0x7f00_1000)] };
    let args = CreateInstanceArgs { p_create_info: &info, p_instance };
    let by_hand = args.reply(vk::Result::SUCCESS);
    assert_eq!(encoded(|e| CreateInstanceArgs::encode_reply(e, &by_hand)), bytes);
}
