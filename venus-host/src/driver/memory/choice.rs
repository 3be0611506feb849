//! Which ways of sharing memory are tried: what the person who runs the host wants, and what the embedder can pass on.

use std::str::FromStr;

use super::SharingMethod;

/// Which methods may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MemoryChoice {
    /// For each memory type, the first that works.
    #[default]
    Auto,
    /// Only dma-buf export.
    DmaBuf,
    /// Only imported memory.
    Import,
    /// Only opaque descriptors, which takes [`Transport::opaque`].
    Opaque,
    /// Only pointers, which takes [`Transport::pointers`].
    Pointer,
}

impl MemoryChoice {
    const ALL: [Self; 5] = [Self::Auto, Self::DmaBuf, Self::Import, Self::Opaque, Self::Pointer];

    /// The word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::DmaBuf => "dmabuf",
            Self::Import => "import",
            Self::Opaque => "opaque",
            Self::Pointer => "pointer",
        }
    }

    /// The methods to try, in order. Metal cannot place images on imported memory as it likes, and a second mapping of that
    /// was seen not to follow the GPU, so pointers come first there.
    pub(crate) fn methods(self, is_metal: bool) -> &'static [SharingMethod] {
        match self {
            Self::Auto if is_metal => {
                &[SharingMethod::DmaBuf, SharingMethod::Pointer, SharingMethod::Import, SharingMethod::Opaque]
            }
            Self::Auto => {
                &[SharingMethod::DmaBuf, SharingMethod::Import, SharingMethod::Pointer, SharingMethod::Opaque]
            }
            Self::DmaBuf => &[SharingMethod::DmaBuf],
            Self::Import => &[SharingMethod::Import],
            Self::Opaque => &[SharingMethod::Opaque],
            Self::Pointer => &[SharingMethod::Pointer],
        }
    }
}

impl FromStr for MemoryChoice {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|choice| choice.name() == word).ok_or_else(|| {
            format!("no way of sharing memory is called {word}; there are {}", Self::ALL.map(Self::name).join(", "))
        })
    }
}

/// What an embedder can do with memory, beyond passing descriptors that a guest's side maps: that much everybody can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Transport {
    /// It imports a driver's own descriptors into the same driver again, through [`super::OpaqueMapper`] or its own
    /// Vulkan code. Never set this where a guest maps what it is given. Where another process makes the descriptors, the
    /// import takes that process's word for them ([`super::OpaqueMapper`]).
    pub opaque: bool,
    /// It is in this process and can map pointers on into its guest. Each mapping has to live as long as the guest can
    /// reach it.
    pub pointers: bool,
}

impl Transport {
    /// A monitor that lives in this process: everything.
    pub const IN_PROCESS: Self = Self { opaque: true, pointers: true };

    /// One that imports a driver's own descriptors into the same driver again.
    #[must_use]
    pub fn opaque(mut self) -> Self {
        self.opaque = true;
        self
    }

    /// One in this process that can map pointers on into its guest.
    #[must_use]
    pub fn pointers(mut self) -> Self {
        self.pointers = true;
        self
    }

    /// Why the embedder cannot pass memory on in this way, if so.
    pub(crate) fn refuses(self, method: SharingMethod) -> Option<&'static str> {
        match method {
            SharingMethod::Opaque if !self.opaque => {
                Some("whoever maps the guest's memory would have to import it into this driver, and cannot")
            }
            SharingMethod::Pointer if !self.pointers => Some("it takes a virtual machine monitor in the same process"),
            SharingMethod::DmaBuf | SharingMethod::Import | SharingMethod::Opaque | SharingMethod::Pointer => None,
        }
    }

    /// Refuses a choice that forces a way which the embedder cannot use, in words for the person who made it.
    pub fn check(self, choice: MemoryChoice) -> Result<(), String> {
        let refusals: Vec<_> = choice.methods(false).iter().map(|&method| self.refuses(method)).collect();
        match refusals.as_slice() {
            [Some(reason)] => {
                Err(format!("memory cannot be shared by \"{}\" here: {reason}; leave it at auto", choice.name()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_have_words() {
        for choice in MemoryChoice::ALL {
            assert_eq!(choice.name().parse(), Ok(choice));
        }
        assert!("udmabuf".parse::<MemoryChoice>().unwrap_err().contains("auto, dmabuf"));
    }

    #[test]
    fn a_socket_carries_descriptors_that_can_be_mapped() {
        let socket = Transport::default();
        for choice in MemoryChoice::ALL {
            let is_mappable = matches!(choice, MemoryChoice::Auto | MemoryChoice::DmaBuf | MemoryChoice::Import);
            assert_eq!(socket.check(choice).is_ok(), is_mappable, "{}", choice.name());
            assert_eq!(Transport::IN_PROCESS.check(choice), Ok(()));
        }
        assert!(socket.refuses(SharingMethod::Pointer).is_some() && socket.refuses(SharingMethod::Import).is_none());
    }
}
