//! Keys that tell this host's pipeline-cache data from what others have made up, and the files that keep them.

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::OnceLock,
};

/// What is read of a file with a key: one byte more than it should have.
const READ_BYTES: u64 = 33;

/// The key of the tags behind pipeline-cache data.
///
/// Who has it can make data up that drivers of this host parse. It is in the memory of each process that serves guests, and
/// need not be told to anybody else.
#[derive(Clone, PartialEq, Eq)]
pub struct CacheKey([u8; Self::BYTES]);

impl CacheKey {
    /// Bytes of a key.
    pub const BYTES: usize = 32;

    /// A key of somebody's own: of random bytes, and kept for as long as guests' caches are to be of use.
    #[must_use]
    pub fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The key that this process has made for itself. Nobody knows it, so what guests keep is of no use to them once the
    /// process has ended.
    ///
    /// # Panics
    ///
    /// The system has no random numbers.
    #[must_use]
    pub fn of_process() -> Self {
        static KEY: OnceLock<CacheKey> = OnceLock::new();
        KEY.get_or_init(|| Self::random().expect("the system has random numbers")).clone()
    }

    /// A key that nobody has had before.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; Self::BYTES];
        fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The key in a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, holds something else than a key, or can be read or written by others than its owner.
    pub fn load(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mode = file.metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            let reason = format!("others than its owner may use it (mode {:03o}, not 600)", mode & 0o777);
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
        let mut bytes = Vec::new();
        file.take(READ_BYTES).read_to_end(&mut bytes)?;
        let wrong = |bytes: Vec<u8>| {
            let length = if bytes.len() > Self::BYTES { "more".to_owned() } else { bytes.len().to_string() };
            let reason = format!("a key has {} bytes, and the file {length}", Self::BYTES);
            io::Error::new(io::ErrorKind::InvalidData, reason)
        };
        bytes.try_into().map(Self).map_err(wrong)
    }

    /// The key in a file, which is made if there is none, with its folder: for its owner alone.
    ///
    /// # Errors
    ///
    /// Those of [`CacheKey::load`], or the file cannot be made.
    pub fn load_or_create(path: &Path) -> io::Result<Self> {
        match Self::load(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            known => return known,
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let key = Self::random()?;
        // Whoever finds the file finds all of it, and of two that make it at once both get the key of one.
        let mut name = [0; 8];
        fill(&mut name)?;
        let draft = folder.join(format!(".pipeline-cache-{:016x}", u64::from_le_bytes(name)));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        let linked = file.write_all(&key.0).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&draft, path));
        fs::remove_file(&draft)?;
        match linked {
            Ok(()) => Ok(key),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::load(path),
            Err(error) => Err(error),
        }
    }

    /// The bytes, for who is to know the same data.
    pub(crate) fn bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for CacheKey {
    /// Without the key, which a log is no place for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheKey(..)")
    }
}

/// Fills `bytes` with the system's random numbers. Needs no file, so it can be done in a sandbox.
#[cfg(target_os = "linux")]
fn fill(bytes: &mut [u8]) -> io::Result<()> {
    // So few come at once, as the kernel promises.
    match rustix::rand::getrandom(&mut *bytes, rustix::rand::GetRandomFlags::empty())? {
        filled if filled == bytes.len() => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Fills `bytes` with the system's random numbers.
#[cfg(not(target_os = "linux"))]
fn fill(bytes: &mut [u8]) -> io::Result<()> {
    File::open("/dev/urandom")?.read_exact(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_key_is_made_once_and_for_its_owner() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("state/venus/pipeline-cache.key");
        assert_eq!(CacheKey::load(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        let made = CacheKey::load_or_create(&path).unwrap();
        assert_eq!(made, CacheKey::load_or_create(&path).unwrap());
        assert_eq!(made, CacheKey::load(&path).unwrap());
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [path]);
    }

    #[test]
    fn all_that_make_a_key_at_once_get_the_same() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| CacheKey::load_or_create(&path).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn what_is_no_key_or_nobodys_secret_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("key");
        let write = |len: usize, mode: u32| {
            fs::write(&path, vec![1; len]).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            CacheKey::load_or_create(&path)
        };
        assert_eq!(write(CacheKey::BYTES, 0o400).unwrap(), CacheKey::new([1; CacheKey::BYTES]));
        fs::remove_file(&path).unwrap();
        for (len, mode, word) in [(31, 0o600, "31"), (33, 0o600, "more"), (32, 0o640, "640"), (32, 0o602, "602")] {
            let error = write(len, mode).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn keys_differ_and_are_not_printed() {
        let key = CacheKey::random().unwrap();
        assert_ne!(key, CacheKey::random().unwrap());
        assert_ne!(key, CacheKey::of_process());
        assert_eq!(CacheKey::of_process(), CacheKey::of_process());
        assert_eq!(format!("{key:?}"), "CacheKey(..)");
    }
}
