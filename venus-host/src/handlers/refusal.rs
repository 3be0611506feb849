//! Commands that an application gets wrong in a way that no driver should see, and that no context should end by.
//!
//! They are left out (`context/skipped.rs`): answered with a result where there is one, with the rest of what Vulkan
//! lets become of invalid usage where not.

use venus_protocol::vk;

use crate::{
    driver::Refusal,
    endpoint::Endpoint,
    error::{APPLICATION, Fatal, INVALID, Interrupt, Refused},
};

/// Advice for what cannot be without a host that tells its guests the wrong things, or a guest that does not listen.
const NOT_OFFERED: &str = "compare what the application enables with the extensions in `venus doctor`: what is not \
                           listed there must not be used";

/// A command whose extension or version the driver lacks, so the guest cannot have enabled it.
#[cold]
pub(super) fn no_entry_point(command: &'static str) -> Interrupt {
    let reason = "the host's driver has no such command, so no extension that was offered has it";
    let reason = Fatal::new(command, reason).advice(NOT_OFFERED);
    Refused { result: vk::Result::ERROR_EXTENSION_NOT_PRESENT, reason }.into()
}

impl Endpoint {
    /// The command is left out for a reason that the driver room has found.
    #[cold]
    pub(super) fn left_out_for(&self, Refusal { member, reason, advice }: Refusal) -> Interrupt {
        let reason = self.fatal(reason).member(member).advice(advice);
        Refused { result: INVALID, reason }.into()
    }

    /// The command is left out because the application got `member` wrong.
    #[cold]
    pub(super) fn invalid(&self, member: &'static str, reason: impl Into<std::borrow::Cow<'static, str>>) -> Interrupt {
        self.left_out_for(Refusal { member, reason: reason.into(), advice: APPLICATION })
    }
}

/// How much more room than the guest has asked for a driver is given, at most.
const EXTRA_ROOM: usize = 1 << 20;

/// Lets `call` fill `data`, of which a driver that believes other numbers may fill up to `needed` bytes. Where that is
/// more, it fills memory of its own, and what fits is kept.
pub(super) fn with_room<T>(
    command: &'static str,
    data: &mut [u8],
    needed: u64,
    call: impl FnOnce(&mut [u8]) -> Result<T, Interrupt>,
) -> Result<T, Interrupt> {
    let needed = usize::try_from(needed).unwrap_or(usize::MAX);
    if needed <= data.len() {
        return call(data);
    }
    if needed > data.len().saturating_add(EXTRA_ROOM) {
        let reason = format!("{} bytes of room for {needed} bytes of answer", data.len());
        let reason = Fatal::new(command, reason).member("dataSize").advice(APPLICATION);
        return Err(Refused { result: INVALID, reason }.into());
    }
    let mut room = vec![0; needed];
    let outcome = call(&mut room);
    for (to, from) in data.iter_mut().zip(room) {
        *to = from;
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_writes_too_much_is_given_room() {
        let mut data = [0; 4];
        for needed in [0, 4, 6] {
            let filled = with_room("vkTest", &mut data, needed, |room| {
                room.fill(7);
                Ok(room.len() as u64)
            });
            assert_eq!(filled.unwrap(), needed.max(4));
            assert_eq!(data, [7; 4]);
        }
        for needed in [u64::MAX, 1 << 32] {
            let refused = with_room("vkTest", &mut data, needed, |_| Ok(()));
            let Err(Interrupt::Refused(refused)) = refused else { panic!("it is refused") };
            assert!(refused.to_string().starts_with("vkTest, dataSize: 4 bytes of room"), "{refused}");
        }
    }
}
