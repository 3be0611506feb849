//! From bytes to handlers: decode a command, call the method that handles it, encode the reply.
//!
//! Decoding is shared by all handlers; only a thin shim per command (decode, call, encode) is compiled for each
//! handler type.

use core::marker::PhantomData;

pub use crate::generated::dispatch::*;
use crate::wire::{Command, CommandHeader, CommandType, DecodeError, DecodeErrorKind, Decoder, Encoder, Returned};

/// What every handler has in common.
pub trait Handler {
    /// Why a context cannot go on. Results of the driver are not errors: they go into the reply.
    type Error: From<DecodeError>;

    /// The error for a device lost by a command whose guest asked for no reply, so that nobody would ever know.
    fn device_lost(&mut self, command: CommandType) -> Self::Error;

    /// Is told that a command has been decoded and will be handled next: for tracers and recorders.
    ///
    /// `decoder` stands behind the command, which [`Decoder::consumed`] has the bytes of if the decoder was made for
    /// it alone. This is on the way of every command, so an implementation must be cheap; the provided one is nothing.
    #[inline]
    fn decoded(&mut self, header: CommandHeader, decoder: &Decoder<'_>) {
        let _ = (header, decoder);
    }
}

/// The shim of one command.
pub(crate) type Row<H> = fn(&mut H, CommandHeader, &mut Decoder<'_>, &mut Encoder) -> Result<(), <H as Handler>::Error>;

/// The shim that decodes one command for a visitor.
pub(crate) type Visit<V> = fn(&mut V, CommandHeader, &mut Decoder<'_>) -> Result<<V as Visitor>::Output, DecodeError>;

/// Declares the trait of handlers of all commands: those that implement the trait of each family.
macro_rules! commands {
    ($first:ident $(, $family:ident)*) => {
        /// All commands.
        pub trait Commands: $first $(+ $family)* {}

        impl<T: $first $(+ $family)*> Commands for T {}
    };
}
pub(crate) use commands;

/// What leads from a command's number to the code for it, for handlers and for visitors.
pub(crate) struct Table<H>(PhantomData<H>);

/// Fills [`Table`] from rows in the order of numbers: a handler's method and its arguments' type, or `never` for a number
/// that never travels.
macro_rules! table {
    ($($method:ident $(: $args:ident)?;)+) => {
        impl<H: $crate::dispatch::Commands> $crate::dispatch::Table<H> {
            pub(crate) const ROWS: [Option<$crate::dispatch::Row<H>>; { $crate::generated::commands::NAMES.len() }] =
                [$($crate::dispatch::table!(@row $method $($args)?)),+];
        }

        impl<V: $crate::dispatch::Visitor> $crate::dispatch::Table<V> {
            pub(crate) const VISITS: [Option<$crate::dispatch::Visit<V>>; { $crate::generated::commands::NAMES.len() }] =
                [$($crate::dispatch::table!(@visit $method $($args)?)),+];
        }
    };
    (@row never) => { None };
    (@row $method:ident $args:ident) => {
        Some(|handler, header, decoder, reply| {
            // Used where the decoder has put them: to move what was just written is to wait for it.
            let mut args = <$args as $crate::wire::Command<'_>>::decode(decoder);
            match &mut args {
                Ok(args) => {
                    $crate::dispatch::Handler::decoded(handler, header, decoder);
                    let returned = handler.$method(args)?;
                    $crate::dispatch::finish(handler, header, args, returned, reply)
                }
                Err(error) => Err($crate::dispatch::located(decoder, *error).into()),
            }
        })
    };
    (@visit never) => { None };
    (@visit $method:ident $args:ident) => {
        Some(|visitor, header, decoder| {
            let args = <$args as $crate::wire::Command<'_>>::decode(decoder);
            let args = args.map_err(|error| $crate::dispatch::located(decoder, error))?;
            Ok(visitor.visit(header, args))
        })
    };
}
pub(crate) use table;

/// The error, with the member that it concerns if the tables are there that say so.
#[cold]
pub(crate) fn located(decoder: &Decoder<'_>, error: DecodeError) -> DecodeError {
    #[cfg(feature = "reflect")]
    let error = decoder.with_member(error);
    let _ = decoder;
    error
}

/// Looks at decoded commands of every type, by one generic method: tracers, tests, measurements.
pub trait Visitor {
    /// What a visit amounts to.
    type Output;

    /// Is given a command's arguments.
    fn visit<'a, C: Command<'a>>(&mut self, header: CommandHeader, args: C) -> Self::Output;
}

/// Decodes one command at the decoder's position and shows it to `visitor`.
///
/// # Errors
///
/// What is wrong with the bytes; the stream cannot be continued.
pub fn visit_command<V: Visitor>(visitor: &mut V, decoder: &mut Decoder<'_>) -> Result<V::Output, DecodeError> {
    let header = decoder.read_header()?;
    let row = usize::try_from(header.command.0).ok().and_then(|index| Table::<V>::VISITS.get(index).copied().flatten());
    match row.filter(|_| decoder.level().has_command(header.command)) {
        Some(row) => row(visitor, header, decoder),
        None => Err(unknown(decoder, header.command)),
    }
}

/// What follows every handled command.
#[inline]
pub(crate) fn finish<'a, H: Handler, C: Command<'a>>(
    handler: &mut H,
    header: CommandHeader,
    args: &C,
    returned: C::Return,
    reply: &mut Encoder,
) -> Result<(), H::Error> {
    if header.wants_reply() {
        C::encode_reply(reply, &args.reply(returned));
    } else if C::REPORTS_DEVICE_LOST && returned.is_device_lost() {
        return Err(handler.device_lost(C::TYPE));
    }
    Ok(())
}

/// Decodes one command at the decoder's position, has it handled, and appends the reply to `reply` if the guest wants
/// one.
///
/// # Errors
///
/// The handler's error, or the decoder's as one: in either case the stream cannot be continued.
#[inline]
pub fn dispatch<H: Commands>(
    handler: &mut H,
    decoder: &mut Decoder<'_>,
    reply: &mut Encoder,
) -> Result<CommandHeader, H::Error> {
    let header = decoder.read_header()?;
    let id = header.command.0;
    let row = usize::try_from(id).ok().and_then(|index| Table::<H>::ROWS.get(index).copied().flatten());
    match row.filter(|_| decoder.level().has_command(header.command)) {
        Some(row) => row(handler, header, decoder, reply).map(|()| header),
        None => Err(unknown(decoder, header.command).into()),
    }
}

#[cold]
fn unknown(decoder: &Decoder<'_>, command: CommandType) -> DecodeError {
    let has_number = crate::generated::commands::NOT_ENCODABLE.iter().any(|(other, _)| *other == command);
    let kind = match has_number && decoder.level().has_command(command) {
        true => DecodeErrorKind::NotEncodable(command.0),
        false => DecodeErrorKind::UnknownCommand(command.0),
    };
    let mut error = decoder.error(kind);
    error.offset = error.offset.saturating_sub(8);
    error
}
