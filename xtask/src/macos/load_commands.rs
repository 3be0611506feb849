//! Looking into what was linked for macOS: whether a Mac's loader would take it.
//!
//! There is no Mac to try it on. But the header of a program or library (its load commands) says what it is for, which
//! libraries it needs, and which symbol comes from which of them; what cannot work shows there.

use super::linker::OLDEST_MACOS;
use anyhow::{Context as _, Result, ensure};
use object::Endianness;
use object::macho::{
    CPU_TYPE_ARM64, LC_CODE_SIGNATURE, LC_REQ_DYLD, MH_DYLIB, MH_EXECUTE, MH_OBJECT, MachHeader64, N_EXT, N_PEXT,
    PLATFORM_MACOS,
};
use object::read::archive::ArchiveFile;
use object::read::macho::{LoadCommandVariant, MachHeader as _, Nlist as _};
use std::collections::BTreeSet;

/// Where a Mac's own libraries are.
const SYSTEM: [&str; 2] = ["/usr/lib/", "/System/Library/"];

/// What a file turns out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A program.
    Program,
    /// A library, which programs find by this name.
    Library(String),
    /// A part of a static library.
    Object,
}

/// A program, library or object for macOS, as its header has it.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) kind: Kind,
    /// Platform, and oldest version of it that the file is for.
    pub(crate) platform: Option<(u32, (u16, u8))>,
    /// The libraries that it needs.
    pub(crate) libraries: Vec<String>,
    /// Symbols that come from elsewhere, each with the number of its library, counted from 1.
    pub(crate) imports: Vec<(String, u8)>,
    /// Symbols that others may use.
    pub(crate) exports: BTreeSet<String>,
    /// Without a signature, be it nobody's, no Mac with a processor of Apple's runs it.
    pub(crate) is_signed: bool,
}

impl Image {
    /// Reads a file.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let header = MachHeader64::<Endianness>::parse(bytes, 0)?;
        let endian = header.endian()?;
        ensure!(header.cputype(endian) == CPU_TYPE_ARM64, "it is for another processor");
        let mut image = Self {
            kind: Kind::Object,
            platform: None,
            libraries: Vec::new(),
            imports: Vec::new(),
            exports: BTreeSet::new(),
            is_signed: false,
        };
        let mut name = None;
        let mut commands = header.load_commands(endian, bytes, 0)?;
        while let Some(command) = commands.next()? {
            let text = |text| -> Result<String> { Ok(String::from_utf8(command.string(endian, text)?.to_vec())?) };
            match command.variant()? {
                LoadCommandVariant::BuildVersion(version) => {
                    let [_, minor, major @ ..] = version.minos.get(endian).to_le_bytes();
                    image.platform = Some((version.platform.get(endian), (u16::from_le_bytes(major), minor)));
                }
                LoadCommandVariant::IdDylib(library) => name = Some(text(library.dylib.name)?),
                LoadCommandVariant::Dylib(library) => image.libraries.push(text(library.dylib.name)?),
                LoadCommandVariant::LinkeditData(_) => image.is_signed |= command.cmd() == LC_CODE_SIGNATURE,
                LoadCommandVariant::Symtab(table) => {
                    let symbols = table.symbols::<MachHeader64<Endianness>, _>(endian, bytes)?;
                    for symbol in symbols.iter().filter(|symbol| !symbol.is_stab()) {
                        let name = String::from_utf8(symbol.name(endian, symbols.strings())?.to_vec())?;
                        if symbol.is_undefined() {
                            image.imports.push((name, symbol.library_ordinal(endian)));
                        } else if symbol.n_type() & (N_EXT | N_PEXT) == N_EXT {
                            image.exports.insert(name);
                        }
                    }
                }
                // A command that a loader must know and we do not.
                LoadCommandVariant::Other => {
                    ensure!(command.cmd() & LC_REQ_DYLD == 0, "it has an unknown load command {:#x}", command.cmd());
                }
                _ => {}
            }
        }
        image.kind = match header.filetype(endian) {
            MH_EXECUTE => Kind::Program,
            MH_DYLIB => Kind::Library(name.context("it is a library without a name")?),
            MH_OBJECT => Kind::Object,
            other => anyhow::bail!("it is a file of type {other}"),
        };
        Ok(image)
    }

    /// Whether it is for macOS, and for no newer one than everything else.
    fn is_for_us(&self) -> bool {
        self.platform == Some((PLATFORM_MACOS, OLDEST_MACOS))
    }

    /// What would keep a Mac from loading it.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.is_for_us() {
            faults.push(format!(
                "it is for platform and version {:?}, not macOS from {OLDEST_MACOS:?} on",
                self.platform
            ));
        }
        let is_system = |library: &String| SYSTEM.iter().any(|folder| library.starts_with(folder));
        for library in self.libraries.iter().filter(|library| !is_system(library)) {
            faults.push(format!("it needs {library}, which is no library of the system"));
        }
        for (symbol, library) in &self.imports {
            if *library == 0 || usize::from(*library) > self.libraries.len() {
                faults.push(format!("{symbol} comes from nowhere"));
            }
        }
        if let Kind::Library(name) = &self.kind
            && !name.starts_with("@rpath/")
        {
            faults.push(format!("it is called {name}, so that programs find it nowhere else"));
        }
        if !self.is_signed {
            faults.push("it has no signature".to_owned());
        }
        faults
    }
}

/// The symbols that a static library defines for others. All of its parts have to be for such Macs.
pub(crate) fn archive(bytes: &[u8]) -> Result<BTreeSet<String>> {
    let archive = ArchiveFile::parse(bytes)?;
    let mut symbols = BTreeSet::new();
    for member in archive.members() {
        let member = member?;
        let name = String::from_utf8_lossy(member.name()).into_owned();
        if !name.ends_with(".o") {
            continue;
        }
        // Members begin where the archive has room, which need not be where a header of theirs may.
        let data = member.data(bytes)?.to_vec();
        let part = Image::parse(&data).with_context(|| format!("its part {name}"))?;
        ensure!(part.kind == Kind::Object, "its part {name} is no object");
        ensure!(part.is_for_us(), "its part {name} is for platform and version {:?}", part.platform);
        symbols.extend(part.exports);
    }
    ensure!(!symbols.is_empty(), "it defines nothing");
    Ok(symbols)
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::macho::{
        LC_BUILD_VERSION, LC_ID_DYLIB, LC_LOAD_DYLIB, LC_SYMTAB, MH_MAGIC_64, N_SECT, N_UNDF, PLATFORM_IOS,
    };

    /// A file of a few load commands, written down by hand.
    #[derive(Default)]
    struct Written {
        commands: Vec<Vec<u32>>,
        /// Name, type and description.
        symbols: Vec<(&'static str, u8, u16)>,
    }

    impl Written {
        fn command(mut self, words: &[u32], text: &str) -> Self {
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize((text.len() / 8 + 1) * 8 * usize::from(!text.is_empty()), 0);
            let texts = bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
            let mut words: Vec<u32> = words.iter().copied().chain(texts).collect();
            words[1] = u32::try_from(words.len() * 4).unwrap();
            self.commands.push(words);
            self
        }

        fn version(self, platform: u32, version: u32) -> Self {
            self.command(&[LC_BUILD_VERSION, 0, platform, version, version, 0], "")
        }

        fn library(self, command: u32, name: &str) -> Self {
            self.command(&[command, 0, 24, 0, 0, 0], name)
        }

        fn signed(self) -> Self {
            self.command(&[LC_CODE_SIGNATURE, 0, 0, 0], "")
        }

        fn symbol(mut self, name: &'static str, kind: u8, description: u16) -> Self {
            self.symbols.push((name, kind, description));
            self
        }

        fn bytes(mut self, kind: u32) -> Vec<u8> {
            const SYMBOL: usize = 16;
            let header = 32 + self.commands.iter().map(|words| words.len() * 4).sum::<usize>() + 24;
            let count = self.symbols.len();
            let (mut table, mut strings) = (Vec::new(), vec![0]);
            for (name, kind, description) in &self.symbols {
                table.extend(u32::try_from(strings.len()).unwrap().to_le_bytes());
                table.extend([*kind, 1]);
                table.extend(description.to_le_bytes());
                table.extend([0; 8]);
                strings.extend(name.bytes().chain([0]));
            }
            let numbers = [header, count, header + count * SYMBOL, strings.len()].map(|n| u32::try_from(n).unwrap());
            let [at, count, text, len] = numbers;
            self = self.command(&[LC_SYMTAB, 0, at, count, text, len], "");
            let commands: Vec<u32> = self.commands.concat();
            let sizes = [self.commands.len(), commands.len() * 4].map(|n| u32::try_from(n).unwrap());
            let words = [MH_MAGIC_64, CPU_TYPE_ARM64, 0, kind, sizes[0], sizes[1], 0, 0];
            let words = words.into_iter().chain(commands).flat_map(u32::to_le_bytes);
            words.chain(table).chain(strings).collect()
        }
    }

    /// Version 11.0, as headers have it.
    const ELEVEN: u32 = 11 << 16;

    #[test]
    fn a_library_for_the_systems_of_today_has_no_fault() {
        let bytes = Written::default()
            .version(PLATFORM_MACOS, ELEVEN)
            .library(LC_ID_DYLIB, "@rpath/libmade.0.dylib")
            .library(LC_LOAD_DYLIB, "/usr/lib/libSystem.B.dylib")
            .signed()
            .symbol("_made", N_SECT | N_EXT, 0)
            .symbol("_inner", N_SECT | N_EXT | N_PEXT, 0)
            .symbol("_malloc", N_UNDF | N_EXT, 1 << 8)
            .bytes(MH_DYLIB);
        let image = Image::parse(&bytes).unwrap();
        assert_eq!(image.kind, Kind::Library("@rpath/libmade.0.dylib".to_owned()));
        assert_eq!(image.libraries, ["/usr/lib/libSystem.B.dylib"]);
        assert_eq!(image.imports, [("_malloc".to_owned(), 1)]);
        assert_eq!(image.exports.into_iter().collect::<Vec<_>>(), ["_made"]);
        assert_eq!(Image::parse(&bytes).unwrap().faults(), [""; 0]);
    }

    #[test]
    fn each_fault_is_named() {
        let bytes = Written::default()
            .version(PLATFORM_IOS, ELEVEN)
            .library(LC_ID_DYLIB, "/build/libmade.dylib")
            .library(LC_LOAD_DYLIB, "/opt/homebrew/lib/libother.dylib")
            .symbol("_missing", N_UNDF | N_EXT, 0xfe << 8)
            .bytes(MH_DYLIB);
        let faults = Image::parse(&bytes).unwrap().faults();
        let expected =
            ["platform", "libother.dylib, which is no", "_missing comes from nowhere", "/build/", "signature"];
        assert_eq!(faults.len(), expected.len(), "{faults:?}");
        for (fault, word) in faults.iter().zip(expected) {
            assert!(fault.contains(word), "{fault}");
        }
        let newer = Written::default().version(PLATFORM_MACOS, 26 << 16).signed().bytes(MH_EXECUTE);
        assert_eq!(Image::parse(&newer).unwrap().faults().len(), 1);
    }

    #[test]
    fn the_rest_is_no_image() {
        assert!(Image::parse(b"\x7fELF and so on, for long enough to be a header").is_err());
        let bytes = Written::default().bytes(MH_DYLIB);
        assert!(Image::parse(&bytes).unwrap_err().to_string().contains("without a name"));
        assert!(Image::parse(&bytes[..40]).is_err());
    }
}
