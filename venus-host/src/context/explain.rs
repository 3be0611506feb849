//! Says in words what is wrong with bytes that are no command, to the person who has to do something about it.
//!
//! The decoder's own error is a few numbers, because it is made where nothing may be formatted. Here, once the context
//! is lost anyway, they are put together with what only the host knows: the bytes, for the path to the member; the
//! object table, for what became of an id; the list of extensions, for whose structure that might be.

use venus_protocol::{
    EXTENSIONS, Extension, Level, reflect, vk,
    wire::{CommandType, DecodeError, DecodeErrorKind as Kind, HandleError},
};

use crate::{
    error::{APPLICATION, Fatal, GUEST_DRIVER, Interrupt, RUNAWAY, object_type_name},
    object,
};

/// First value of `VkStructureType` that belongs to an extension; each has a thousand.
const EXTENSION_VALUES: i32 = 1_000_000_000;
const VALUES_PER_EXTENSION: i32 = 1000;

/// Turns a decoder's error into the reason why the context ends. `stream` holds the command at byte `at`, of a guest that
/// is served at `level`. Other interrupts stay as they are.
#[cold]
pub(crate) fn explain(
    interrupt: Interrupt,
    level: Level,
    objects: &object::Table,
    stream: &[u8],
    at: usize,
) -> Interrupt {
    let Interrupt::Undecodable(error) = interrupt else {
        return interrupt;
    };
    let Statement { reason, advice } = state(&error, level, objects);
    let command = match error.command {
        CommandType::NONE => "command header",
        command => command.name(),
    };
    let fatal = Fatal { offset: u64::try_from(error.offset).ok(), ..Fatal::new(command, reason).advice(advice) };
    match member(&error, stream.get(at..).unwrap_or_default(), at) {
        Some(member) => fatal.member(member).into(),
        None => fatal.into(),
    }
}

/// The way to the member at which decoding stopped, from the command's parameters on. `command` are the command's
/// bytes, which begin at byte `at` of the stream.
fn member(error: &DecodeError, command: &[u8], at: usize) -> Option<String> {
    // What the arena had no room for is what was read before.
    let culprit = match error.kind {
        Kind::ArenaFull { .. } => error.offset.saturating_sub(1),
        _ => error.offset,
    };
    reflect::path(command, culprit.saturating_sub(at)).or_else(|| {
        let member = error.member?;
        Some(if member.owner == error.command.name() { member.name.to_owned() } else { member.to_string() })
    })
}

/// What is wrong, and what to do.
struct Statement {
    reason: String,
    advice: String,
}

fn state(error: &DecodeError, level: Level, objects: &object::Table) -> Statement {
    let plain = |advice: &str| Statement { reason: error.kind.to_string(), advice: advice.to_owned() };
    match error.kind {
        Kind::Handle { id, expected, error } => handle(id, expected, error, objects),
        Kind::UnknownChainNode { s_type } => chain_node(s_type, level, error.member.map(|member| member.owner)),
        Kind::WrongStructureType { expected, found } => {
            let reason = format!("sType is {}, must be {}", structure(found, level), structure(expected, level));
            Statement { reason, advice: GUEST_DRIVER.to_owned() }
        }
        Kind::UnknownCommand(number) if Level::NEWEST.has_command(CommandType(number)) => plain(AT_A_LEVEL),
        Kind::UnknownCommand(_) => plain(&newer(level, "sends commands")),
        Kind::NotEncodable(number) => {
            let command = CommandType(number);
            let why = reflect::obstacle(command).unwrap_or("it has no place in the protocol");
            Statement { reason: format!("{command} never travels: {why}"), advice: GUEST_DRIVER.to_owned() }
        }
        Kind::WrongUnionTag { .. } => plain(&newer(level, "sends values")),
        Kind::SizeTooLarge { .. } | Kind::ArenaFull { .. } | Kind::ChainTooLong => plain(RUNAWAY),
        // What an application can get wrong: its driver encodes what it is given.
        Kind::NullPointer | Kind::CountMismatch { .. } => plain(APPLICATION),
        _ => plain(GUEST_DRIVER),
    }
}

/// Advice for what this host knows and was told not to.
const AT_A_LEVEL: &str = "the guest's driver uses more than it was told of: serve it at a newer level (`--protocol`), or update the guest's Mesa";

/// The level that a structure came with, if that is newer than `level`.
fn later_structure(s_type: i32, level: Level) -> Option<Level> {
    let row = reflect::structures().iter().find(|row| row.s_type == Some(s_type))?;
    (row.since > level).then_some(row.since)
}

/// Advice for what this host is too old to know.
fn newer(level: Level, does: &str) -> String {
    let version = level.xml_version();
    let (major, minor, patch) =
        (vk::api_version_major(version), vk::api_version_minor(version), vk::api_version_patch(version));
    format!(
        "the guest's driver {does} that this host (Vulkan {major}.{minor}.{patch}) does not know: update the host, or \
         report it if the guest's Mesa is not newer than the host"
    )
}

fn handle(id: u64, expected: vk::ObjectType, error: HandleError, objects: &object::Table) -> Statement {
    let wanted = object_type_name(expected);
    let (reason, advice) = match error {
        HandleError::Unknown | HandleError::Phantom => {
            (format!("no {wanted} has the id {id:#x}: {}", objects.fate_of(id)), APPLICATION)
        }
        HandleError::WrongType(found) => {
            (format!("the id {id:#x} is a {}, not a {wanted}", object_type_name(found)), APPLICATION)
        }
        HandleError::OtherDevice => {
            (format!("the {wanted} {id:#x} belongs to another device than the command acts on"), APPLICATION)
        }
        HandleError::Null => (format!("it is null, and Vulkan asks for a {wanted}"), APPLICATION),
        HandleError::NullOwner => (format!("the {wanted} that the command acts on is null"), APPLICATION),
    };
    Statement { reason, advice: advice.to_owned() }
}

fn chain_node(s_type: i32, level: Level, owner: Option<&'static str>) -> Statement {
    let name = structure(s_type, level);
    let after = owner.map_or_else(String::new, |owner| format!(" that extends {owner}"));
    if let Some(later) = later_structure(s_type, level) {
        return Statement {
            reason: format!("{name} came with the level {later}, and guests are served at {level}"),
            advice: AT_A_LEVEL.to_owned(),
        };
    }
    if known_structure(s_type, level).is_some() {
        return Statement {
            reason: format!("{name} is no structure{after}"),
            advice: newer(level, "chains structures in a way"),
        };
    }
    match extension(s_type) {
        Some(Ok(extension)) => Statement {
            reason: format!("{name}, of {} (extension {}), is not known", extension.name, extension.number),
            advice: newer(level, "sends a structure"),
        },
        Some(Err(number)) => Statement {
            reason: format!("{name}, of extension {number}, is not known, and neither is its extension"),
            advice: format!(
                "the guest uses an extension that was not offered, which its driver should have kept from it, or {}",
                newer(level, "sends structures")
            ),
        },
        None => Statement {
            reason: format!("{name} is the type of no structure{after}"),
            advice: newer(level, "sends a structure"),
        },
    }
}

/// The extension that a structure type belongs to by its value: its row if the protocol has it, else its number.
fn extension(s_type: i32) -> Option<Result<&'static Extension, u32>> {
    let above = s_type.checked_sub(EXTENSION_VALUES).filter(|above| *above >= 0)?;
    let number = u32::try_from(above / VALUES_PER_EXTENSION).ok()?.checked_add(1)?;
    Some(EXTENSIONS.iter().find(|extension| extension.number == number).ok_or(number))
}

/// The structure of that type, if guests may know it.
fn known_structure(s_type: i32, level: Level) -> Option<&'static str> {
    let known = reflect::structures().iter().filter(|row| row.since <= level);
    known.into_iter().find(|row| row.s_type == Some(s_type)).map(|row| row.name)
}

/// The name of a structure type: its structure's, or as `VkStructureType` calls it.
fn structure(s_type: i32, level: Level) -> String {
    let name = known_structure(s_type, level).or_else(|| reflect::structure_type_name(s_type));
    name.map_or_else(|| format!("structure type {s_type}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Cause;
    use venus_protocol::wire::Member;

    fn told(kind: Kind, member: Member, objects: &object::Table) -> String {
        let error = DecodeError { offset: 40, kind, command: CommandType(50), member: Some(member) };
        explain(Interrupt::from(error), Level::NEWEST, objects, &[], 0).into_fatal("test").to_string()
    }

    const BUFFER_INFO: Member = Member { owner: "VkBufferCreateInfo", name: "pNext" };

    #[test]
    fn a_chain_node_is_told_by_name_and_extension() {
        let objects = object::Table::holding(1000);
        let told =
            |s_type: vk::StructureType| told(Kind::UnknownChainNode { s_type: s_type.as_raw() }, BUFFER_INFO, &objects);
        let known = told(vk::StructureType::FENCE_CREATE_INFO);
        assert!(known.contains("VkFenceCreateInfo is no structure that extends VkBufferCreateInfo"), "{known}");
        // Of an extension that the protocol does not have.
        let foreign = told(vk::StructureType::DEBUG_UTILS_LABEL_EXT);
        assert!(foreign.contains("VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT, of extension 129"), "{foreign}");
        assert!(foreign.contains("not offered"), "{foreign}");
        // A structure that a later version added to an extension.
        let number = EXTENSIONS.iter().find(|extension| extension.name == "VK_KHR_maintenance7").unwrap().number;
        let value = EXTENSION_VALUES + (i32::try_from(number).unwrap() - 1) * VALUES_PER_EXTENSION + 900;
        let newer = told(vk::StructureType::from_raw(value));
        assert!(newer.contains("of VK_KHR_maintenance7") && newer.contains("update the host"), "{newer}");
        let nonsense = told(vk::StructureType::from_raw(999));
        assert!(nonsense.contains("structure type 999 is the type of no structure"), "{nonsense}");
        assert!(told(vk::StructureType::from_raw(i32::MIN)).contains("-2147483648"));
    }

    #[test]
    fn a_bad_handle_is_told_with_its_history() {
        let objects = object::Table::holding(1000);
        let member = Member { owner: CommandType(50).name(), name: "buffer" };
        let told = |id, objects: &object::Table| {
            let expected = vk::ObjectType::BUFFER;
            told(Kind::Handle { id, expected, error: HandleError::Unknown }, member, objects)
        };
        let never = told(7, &objects);
        assert!(never.contains(", buffer: no VkBuffer has the id 0x7: no object has ever had this id"), "{never}");
        let result = vk::Result::ERROR_OUT_OF_DEVICE_MEMORY;
        objects.record_uncreated(vk::ObjectType::BUFFER, 1, &[7], Cause::never_created("vkCreateBuffer", result));
        let failed = told(7, &objects);
        assert!(failed.contains("vkCreateBuffer should have created it and failed with VK_ERROR_OUT"), "{failed}");
        assert!(failed.contains("validation layers"), "it says what to do: {failed}");
    }
}
