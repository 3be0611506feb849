//! Where the Vulkan loader's manifests say that the libraries of drivers and layers are.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The libraries that are named by a manifest, or by all of a folder.
pub(super) fn libraries(path: &Path) -> Vec<PathBuf> {
    let paths = |(manifest, text): (PathBuf, String)| -> Vec<PathBuf> {
        let folder = manifest.parent().unwrap_or(Path::new("/"));
        // Bare names are searched like any library, so they say nothing here.
        named(&text).filter(|value| value.contains('/')).map(|value| folder.join(value)).collect()
    };
    texts(path).into_iter().flat_map(paths).collect()
}

/// What those are called, up to their versions, wherever they are.
pub(super) fn names(path: &Path) -> Vec<String> {
    let names =
        |(_, text): (PathBuf, String)| named(&text).map(|value| without_version(value).to_owned()).collect::<Vec<_>>();
    texts(path).into_iter().flat_map(names).collect()
}

/// What a library is called, without its folder and its version.
pub(super) fn without_version(library: &str) -> &str {
    let name = library.rsplit('/').next().unwrap_or(library);
    name.split(".so").next().unwrap_or(name)
}

/// The manifest, or all of a folder.
fn texts(path: &Path) -> Vec<(PathBuf, String)> {
    if !path.is_dir() {
        return fs::read_to_string(path).ok().map(|text| (path.to_owned(), text)).into_iter().collect();
    }
    let files = fs::read_dir(path).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let manifests = files.filter(|file| file.extension().is_some_and(|extension| extension == "json"));
    manifests.filter_map(|file| Some((file.clone(), fs::read_to_string(file).ok()?))).collect()
}

/// The libraries in a manifest, as they stand there.
fn named(text: &str) -> impl Iterator<Item = &str> {
    // A path with a quote or a backslash in it is found by nobody, but then it is said in the log what cannot be loaded.
    text.split("\"library_path\"").skip(1).filter_map(|rest| rest.split('"').nth(1))
}

/// What has to be readable for a library to be loaded, and those beside it that it needs: the installation's folder of
/// libraries that it is in; where there is none, the libraries beside it.
pub(super) fn around(library: &Path) -> Vec<PathBuf> {
    let library = library.canonicalize().unwrap_or_else(|_| library.to_owned());
    if let Some(folder) = library.ancestors().skip(1).find(|folder| is_of_libraries(folder)) {
        return vec![folder.to_owned()];
    }
    let Some(folder) = library.parent() else { return Vec::new() };
    let files = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    files.filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().contains(".so"))).collect()
}

/// Whether a folder is one of an installation's libraries: called `lib`, with the installation's other folders beside it. What
/// is only called so, as `/var/lib`, holds anything.
fn is_of_libraries(folder: &Path) -> bool {
    let is_called_so = folder.file_name().is_some_and(|name| matches!(name.to_str(), Some("lib" | "lib64" | "lib32")));
    let has_beside = |name| folder.parent().is_some_and(|parent| parent.join(name).is_dir());
    is_called_so && folder.parent() != Some(Path::new("/var")) && (has_beside("bin") || has_beside("share"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_searched_for_paths() {
        let text = r#"{"ICD": {"library_path": "../lib/libx.so"}, "layers": [{"library_path":"liby.so"}]}"#;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x.json"), text).unwrap();
        fs::write(folder.path().join("x.txt"), text).unwrap();
        fs::write(folder.path().join("broken.json"), "{\"library_path\"").unwrap();
        assert_eq!(libraries(folder.path()), [folder.path().join("../lib/libx.so")]);
        assert!(libraries(&folder.path().join("nowhere.json")).is_empty());
        assert_eq!(names(folder.path()), ["libx", "liby"]);
    }

    #[test]
    fn a_library_opens_no_more_than_libraries() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().canonicalize().unwrap();
        let deep = home.join("lib/x86_64-linux-gnu");
        fs::create_dir_all(&deep).unwrap();
        for file in [deep.join("libx.so.1"), home.join("libx.so"), home.join("diary")] {
            fs::write(file, "").unwrap();
        }
        assert_eq!(
            around(&deep.join("libx.so.1")),
            [deep.join("libx.so.1")],
            "nothing says that this is an installation"
        );
        fs::create_dir(home.join("share")).unwrap();
        assert_eq!(around(&deep.join("libx.so.1")), [home.join("lib")]);
        assert_eq!(around(&home.join("libx.so")), [home.join("libx.so")]);
    }
}
