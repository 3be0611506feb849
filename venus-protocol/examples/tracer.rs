//! A tracer: prints the requests in a file, such as what a guest has submitted, by their names and members. Run it with
//! `cargo run -p venus-protocol --example tracer FILE`; without a file it prints some requests that it makes up.
//!
//! It knows no command. The tables of [`reflect`] say what travels, in the registry's own names.
#![expect(clippy::print_stdout, reason = "a tracer prints")]

use std::{env, error::Error, fmt::Write as _, fs};

use venus_protocol::{
    args::{CmdDrawArgs, CreateBufferArgs},
    reflect::{
        Scalar, Stop,
        value::{Field, Request, Struct, Value},
    },
    vk,
    wire::{Command as _, CommandHeader, Encoder, Handle, NewHandles},
};

/// Elements of an array that are printed.
const SHOWN: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let stream = match env::args_os().nth(1) {
        Some(path) => fs::read(path)?,
        None => some_requests(),
    };
    print!("{}", trace(&stream)?);
    Ok(())
}

/// Every request of a stream, one after the other.
fn trace(stream: &[u8]) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let at = stream.len() - rest.len();
        let request = Request::read(rest).map_err(|stop| format!("byte {at}: {:?}", stop.why))?;
        let reply = if request.header.wants_reply() { ", and wants a reply" } else { "" };
        writeln!(text, "{at:6}  {}{reply}", request.row.command)?;
        request.params.iter().try_for_each(|param| print_field(&mut text, 1, param))?;
        // Nothing says how long a request is: where one cannot be followed, nobody can find the next.
        if let Some(Stop { offset, why, .. }) = request.stop {
            return Err(format!("{text}byte {}: {why:?}", at + offset).into());
        }
        rest = rest.get(request.len..).unwrap_or_default();
    }
    Ok(text)
}

fn print_field(text: &mut String, depth: usize, Field { row, value }: &Field<'_>) -> std::fmt::Result {
    print_value(text, depth, row.name, value)
}

/// A value after its name, and below it what it consists of.
fn print_value(text: &mut String, depth: usize, name: &str, value: &Value<'_>) -> std::fmt::Result {
    write!(text, "{:width$}{name} = ", "", width = 8 + 4 * depth)?;
    match value {
        Value::Number(Scalar::F32, bits) => writeln!(text, "{}", f32::from_bits(*bits as u32)),
        Value::Number(Scalar::F64, bits) => writeln!(text, "{}", f64::from_bits(*bits)),
        Value::Number(Scalar::I32, bits) => writeln!(text, "{}", *bits as i32),
        Value::Number(Scalar::I64, bits) => writeln!(text, "{}", bits.cast_signed()),
        Value::Number(_, bits) => writeln!(text, "{bits}"),
        Value::Enum(row, value) => writeln!(text, "{}", row.display(*value)),
        Value::Handle(row, id) => writeln!(text, "{} {id:#x}", row.name),
        Value::Null => writeln!(text, "null"),
        Value::Room => writeln!(text, "(to be filled)"),
        Value::Capacity(count) => writeln!(text, "(room for {count})"),
        Value::Text(bytes) => writeln!(text, "{:?}", String::from_utf8_lossy(bytes.trim_ascii_end())),
        Value::Bytes(bytes) => writeln!(text, "{} bytes", bytes.len()),
        Value::Packed(..) | Value::List { .. } => {
            writeln!(text, "{} elements", value.elements())?;
            for index in 0..value.elements().min(SHOWN) {
                let Some(element) = value.element(index) else { break };
                print_value(text, depth + 1, &format!("[{index}]"), &element)?;
            }
            Ok(())
        }
        Value::Struct(value) => print_struct(text, depth, value),
        Value::Union(value) => {
            writeln!(text, "{}", value.row.name)?;
            value.field.iter().try_for_each(|field| print_field(text, depth + 1, field))
        }
    }
}

fn print_struct(text: &mut String, depth: usize, value: &Struct<'_>) -> std::fmt::Result {
    writeln!(text, "{}", value.row.name)?;
    for node in &value.chain {
        write!(text, "{:width$}pNext: ", "", width = 8 + 4 * (depth + 1))?;
        print_struct(text, depth + 1, node)?;
    }
    value.fields.iter().try_for_each(|field| print_field(text, depth + 1, field))
}

/// What a guest might send.
fn some_requests() -> Vec<u8> {
    let usage = vk::BufferUsageFlags::VERTEX_BUFFER | vk::BufferUsageFlags::TRANSFER_DST;
    let info = vk::BufferCreateInfo::default().size(4096).usage(usage).queue_family_indices(&[0, 1]);
    // SAFETY: the structures are filled through ash's setters, and what they point to outlives the encoder's work.
    let mut encoder = unsafe { Encoder::new() };
    let p_buffer = NewHandles { ids: &mut [0x11], raws: &mut [vk::Buffer::null()] };
    let create = CreateBufferArgs { device: Handle::identity(0x10), p_create_info: &info, p_buffer };
    create.encode(&mut encoder, CommandHeader::GENERATE_REPLY);
    CmdDrawArgs {
        command_buffer: Handle::identity(0x12),
        vertex_count: 3,
        instance_count: 1,
        first_vertex: 0,
        first_instance: 0,
    }
    .encode(&mut encoder, 0);
    encoder.bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_members_are_printed() {
        let text = trace(&some_requests()).unwrap();
        for line in [
            "     0  vkCreateBuffer, and wants a reply",
            "            device = VkDevice 0x10",
            "            pCreateInfo = VkBufferCreateInfo",
            "                size = 4096",
            "                usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_VERTEX_BUFFER_BIT",
            "                pQueueFamilyIndices = 2 elements",
            "                    [1] = 1",
            "            pBuffer = VkBuffer 0x11",
            "            vertexCount = 3",
        ] {
            assert!(text.lines().any(|printed| printed == line), "no line {line:?} in\n{text}");
        }
    }

    #[test]
    fn a_stream_that_ends_too_soon_is_told_to_where_it_goes() {
        let mut stream = some_requests();
        stream.truncate(stream.len() - 4);
        let error = trace(&stream).unwrap_err().to_string();
        assert!(error.contains("vkCmdDraw") && error.ends_with("Truncated"), "{error}");
    }
}
