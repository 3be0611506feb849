//! A decoder knows what its level has, and refuses what came later as it refuses what never came.

use venus_protocol::dispatch::visit_command;
use venus_protocol::reflect::{self, StructRow};
use venus_protocol::wire::{
    Arena, Command, CommandHeader, CommandType, DecodeError, DecodeErrorKind as Kind, Decoder, IdentityResolver,
};
use venus_protocol::{EXTENSIONS, Level, decode, vk};

/// Little-endian numbers, one after the other.
macro_rules! wire {
    ($($value:expr),* $(,)?) => {{
        let mut bytes: Vec<u8> = Vec::new();
        $(bytes.extend($value.to_le_bytes());)*
        bytes
    }};
}

struct Ignore;

impl venus_protocol::dispatch::Visitor for Ignore {
    type Output = ();

    fn visit<'a, C: Command<'a>>(&mut self, _header: CommandHeader, _args: C) {}
}

/// What becomes of a request at a level.
fn outcome(bytes: &[u8], level: Level) -> Result<(), DecodeError> {
    let arena = Arena::default();
    visit_command(&mut Ignore, &mut Decoder::new(bytes, &arena, &IdentityResolver).at_level(level))
}

/// The oldest level at which a request is accepted.
fn accepted_since(bytes: &[u8]) -> Option<Level> {
    let accepts = |level: &&Level| outcome(bytes, **level).is_ok();
    let since = Level::ALL.iter().find(accepts).copied();
    assert!(since.is_none_or(|since| Level::ALL.iter().filter(|level| **level >= since).all(|level| accepts(&level))));
    since
}

#[test]
fn levels_are_what_is_announced() {
    let announced = |level: Level| {
        let version = level.xml_version();
        (
            level.number(),
            vk::api_version_patch(version),
            level.venus_protocol_spec_version(),
            level.extensions().count(),
        )
    };
    assert_eq!(announced(Level::V433), (433, 307, 3, 173));
    assert_eq!(announced(Level::V448), (448, 343, 4, 187));
    assert_eq!(announced(Level::V453), (453, 357, 4, 200));
    assert_eq!([Level::V433, Level::V448, Level::V453].map(Level::xml_version), [0x40_4133, 0x40_4157, 0x40_4165]);
    assert_eq!((Level::OLDEST, Level::NEWEST), (Level::V433, Level::V453));
    assert_eq!(
        Level::ALL.iter().map(|level| Level::of_number(level.number())).collect::<Vec<_>>(),
        [Some(Level::V433), Some(Level::V448), Some(Level::V453)]
    );
    assert_eq!(Level::of_number(434), None);
    assert!(Level::V433.extensions().all(|extension| extension.since == Level::V433));
    let newest = EXTENSIONS.iter().max_by_key(|extension| extension.number).map(|extension| extension.name);
    assert_eq!(newest, Some("VK_EXT_primitive_restart_index"));
    let protocol = EXTENSIONS.iter().find(|extension| extension.name == "VK_MESA_venus_protocol");
    let versions = protocol.map(|protocol| [Level::V433, Level::V448, Level::V453].map(|at| protocol.spec_version(at)));
    assert_eq!(versions, Some([3, 4, 4]));
}

#[test]
fn later_commands_are_unknown() {
    let later = reflect::commands().filter(|row| row.since() > Level::OLDEST);
    let mut counts = [0; 2];
    for row in later {
        let request = wire![row.command.0, 0_u32];
        for level in Level::ALL {
            let error = outcome(&request, *level).expect_err("there are no arguments");
            let is_unknown = error.kind == Kind::UnknownCommand(row.command.0);
            assert_eq!(is_unknown, *level < row.since(), "{} at level {level}", row.command);
        }
        counts[usize::from(row.since() == Level::V453)] += 1;
    }
    assert_eq!(counts, [13, 4]);
    // One that has a number and never travels.
    let blocked = CommandType::WRITE_SAMPLER_DESCRIPTORS_EXT;
    let kind = |level| outcome(&wire![blocked.0, 0_u32], level).map_err(|error| error.kind);
    assert_eq!(kind(Level::V433), Err(Kind::UnknownCommand(blocked.0)));
    assert_eq!(kind(Level::V448), Err(Kind::NotEncodable(blocked.0)));
}

#[test]
fn later_structures_are_unknown_in_chains() {
    let info = |bytes: &[u8], level| {
        let arena = Arena::default();
        let mut decoder = Decoder::new(bytes, &arena, &IdentityResolver).at_level(level);
        decode::decode_buffer_create_info(&mut decoder).map(|info| !info.p_next.is_null()).map_err(|error| error.kind)
    };
    let child = reflect::structure("VkBufferDeviceAddressCreateInfoEXT").expect("it travels");
    let s_type = child.s_type.expect("it is chained");
    let head = wire![vk::StructureType::BUFFER_CREATE_INFO.as_raw(), 1_u64, s_type, 0_u64, 0x1000_u64];
    let bytes = [head, wire![0_u32, 256_u64, 0x80_u32, 0_u32, 0_u32, 0_u64]].concat();
    assert_eq!(info(&bytes, Level::V433), Err(Kind::UnknownChainNode { s_type }));
    assert_eq!(info(&bytes, Level::V448), Ok(true));
    assert_eq!(info(&bytes, Level::V453), Ok(true));
}

/// The pairs of a root and what may follow it, of one level.
fn pairs(level: Level) -> (usize, usize) {
    let later = |row: &&StructRow| row.since <= level;
    let roots = reflect::structures().iter().copied().filter(later);
    let children = roots.map(|root| root.children().filter(|child| child.since <= level).count());
    children.filter(|count| *count > 0).fold((0, 0), |(roots, pairs), count| (roots + 1, pairs + count))
}

#[test]
fn each_level_has_its_structures() {
    let structures = |level| reflect::structures().iter().filter(|row| row.since <= level).count();
    assert_eq!([Level::V433, Level::V448, Level::V453].map(structures), [474, 516, 544]);
    assert_eq!([Level::V433, Level::V448, Level::V453].map(pairs), [(62, 384), (62, 422), (64, 461)]);
}

#[test]
fn later_leave_to_be_null_is_later() {
    // Sixteen samples, and no mask.
    let mask = CommandType::CMD_SET_SAMPLE_MASK_EXT.0;
    assert_eq!(accepted_since(&wire![mask, 0_u32, 1_u64, 16_u32, 0_u64]), Some(Level::V448));
    assert_eq!(accepted_since(&wire![mask, 0_u32, 1_u64, 16_u32, 1_u64, 0xffff_u32]), Some(Level::V433));
    // A layer, and no names.
    let create = wire![CommandType::CREATE_DEVICE.0, 0_u32, 1_u64, 1_u64];
    let info = wire![vk::StructureType::DEVICE_CREATE_INFO.as_raw(), 0_u64, 0_u32, 0_u32, 0_u64];
    let rest = |layers: u32| wire![layers, 0_u64, 0_u32, 0_u64, 0_u64, 0_u64, 1_u64, 0x60_u64];
    let device = |layers| [create.clone(), info.clone(), rest(layers)].concat();
    assert_eq!(accepted_since(&device(1)), Some(Level::V453));
    assert_eq!(accepted_since(&device(0)), Some(Level::V433));
    let error = outcome(&device(1), Level::V448).expect_err("refused");
    assert_eq!(error.kind, Kind::NullPointer);
}
