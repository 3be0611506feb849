use venus_host::{
    driver::survey::{Gpu, Library, Sparse},
    sandbox::{self, Support},
};

use super::*;
use crate::doctor::facts::{Access, Manifest, Node, OpenFiles, System};

/// A host on which nothing is wrong.
fn healthy() -> Facts {
    Facts {
        system: System {
            os: "linux",
            page_bytes: 4096,
            open_files: OpenFiles { soft: Some(1024), hard: Some(524_288) },
            memory_file: Some(Ok(())),
            shm_free_bytes: Some(1 << 30),
            udmabuf: Access::Usable,
            render_nodes: vec![node(Access::Usable)],
            manifests: vec![manifest("/a.json", Ok("liba.so"))],
            ..System::default()
        },
        library: Ok(library()),
        gpus: Ok(vec![gpu()]),
        wants_validation: false,
    }
}

fn library() -> Library {
    let mut library = Library::default();
    library.path = "libvulkan.so.1".to_owned();
    library.version = "1.4.0".to_owned();
    library.validation_layer = Some("1.4.0".to_owned());
    library
}

fn gpu() -> Gpu {
    let mut gpu = Gpu::default();
    gpu.name = "Card".to_owned();
    gpu.uuid = "01".to_owned();
    gpu.is_version_enough = true;
    gpu.memory.ways = vec![("dma-buf export".to_owned(), "0".to_owned())];
    gpu.memory.is_dma_buf = true;
    gpu.memory.has_coherent_type = true;
    gpu.native_fences = true;
    gpu.native_semaphores = true;
    gpu
}

fn node(access: Access) -> Node {
    Node { path: "/dev/dri/renderD128".to_owned(), access, group: "render".to_owned() }
}

fn manifest(path: &str, library: Result<&str, &str>) -> Manifest {
    Manifest { path: path.to_owned(), library: library.map(str::to_owned).map_err(str::to_owned) }
}

/// What is wrong with a healthy host that was changed: the checks that are not fine, and their levels.
fn check(change: impl FnOnce(&mut Facts)) -> Vec<(&'static str, Level)> {
    let mut facts = healthy();
    change(&mut facts);
    let judgements = judge(&facts);
    for judgement in &judgements {
        let is_fine = judgement.level == Level::Fine;
        assert!(!judgement.found.is_empty(), "{judgement:?}");
        assert_eq!(judgement.meaning.is_empty(), is_fine, "what is wrong means something: {judgement:?}");
        assert_eq!(judgement.fix.is_empty(), is_fine, "what is wrong can be mended: {judgement:?}");
    }
    judgements.iter().filter(|row| row.level != Level::Fine).map(|row| (row.check, row.level)).collect()
}

fn change_gpu(change: impl FnOnce(&mut Gpu)) -> Vec<(&'static str, Level)> {
    check(|facts| change(&mut facts.gpus.as_mut().unwrap()[0]))
}

use Level::{Failure, Warning};

#[test]
fn a_healthy_host_is_fine() {
    assert_eq!(check(|_| {}), []);
}

#[test]
fn without_library_or_gpu_guests_cannot_start() {
    let no_library = check(|facts| {
        facts.library = Err("nothing could be loaded".to_owned());
        facts.gpus = Err("there is no Vulkan library".to_owned());
    });
    assert_eq!(no_library, [("Vulkan library", Failure)]);
    assert_eq!(check(|facts| facts.gpus = Err("vkCreateInstance failed".to_owned())), [("GPUs", Failure)]);
    assert_eq!(check(|facts| facts.gpus = Ok(Vec::new())), [("GPUs", Failure)]);
}

#[test]
fn drivers_are_looked_at() {
    assert_eq!(check(|facts| facts.system.manifests.clear()), [("driver files", Failure)]);
    let twice = check(|facts| facts.system.manifests.push(manifest("/b.json", Ok("liba.so"))));
    assert_eq!(twice, [("driver files", Warning)]);
    let broken = check(|facts| facts.system.manifests.push(manifest("/b.json", Err("it is no JSON"))));
    assert_eq!(broken, [("driver files", Warning)]);
    let choose = |value: &str| {
        let value = value.to_owned();
        check(|facts| {
            facts.system.chosen_drivers = Some(("VK_DRIVER_FILES", value));
            facts.system.manifests.clear();
        })
    };
    assert_eq!(choose("/x/lvp_icd.json"), [("drivers", Warning)]);
    assert_eq!(choose("/x/lvp_icd.json:/x/virtio_icd.x86_64.json"), [("drivers", Failure)]);
    let preloaded = check(|facts| facts.system.preloaded.push("libvulkan.so.1".to_owned()));
    assert_eq!(preloaded, [("preloaded libraries", Warning)]);
    let twins = check(|facts| facts.gpus = Ok(vec![gpu(), gpu()]));
    assert_eq!(twins, [("GPU twice", Warning)]);
}

#[test]
fn device_files_have_to_be_usable() {
    let denied = check(|facts| facts.system.render_nodes = vec![node(Access::Denied("Permission denied".to_owned()))]);
    assert_eq!(denied, [("device files", Warning)]);
    assert_eq!(check(|facts| facts.system.render_nodes.clear()), [("device files", Warning)]);
    let mac = check(|facts| {
        facts.system.os = "macos";
        facts.system.render_nodes.clear();
    });
    assert_eq!(mac, []);
}

#[test]
fn a_gpu_is_judged_by_what_it_lacks() {
    let old = change_gpu(|gpu| {
        gpu.is_version_enough = false;
        gpu.hidden_because = Some("old".to_owned());
    });
    assert_eq!(old, [("GPUs", Failure), ("Vulkan version", Failure)]);
    assert_eq!(change_gpu(|gpu| gpu.is_software = true), [("rendering", Warning)]);
    assert_eq!(change_gpu(|gpu| gpu.is_portability = true), [("conformance", Warning)]);
    let incoherent = change_gpu(|gpu| {
        gpu.memory.has_coherent_type = false;
        gpu.hidden_because = Some("no memory".to_owned());
    });
    assert_eq!(incoherent, [("GPUs", Failure), ("coherent memory", Failure)]);
    let unshared = change_gpu(|gpu| {
        gpu.memory.ways.clear();
        gpu.memory.is_dma_buf = false;
        gpu.hidden_because = Some("no memory".to_owned());
    });
    assert_eq!(unshared, [("GPUs", Failure), ("shared memory", Failure)]);
    let imported = |seen| {
        change_gpu(|gpu| {
            gpu.memory.ways = vec![("imported memory".to_owned(), "0".to_owned())];
            gpu.memory.is_dma_buf = false;
            gpu.memory.seen = Some(seen);
        })
    };
    assert_eq!(imported(Ok(2)), [("dma-buf", Warning)]);
    assert_eq!(imported(Err("it is stale".to_owned())), [("shared memory", Failure), ("dma-buf", Warning)]);
    let sparse = |sparse| change_gpu(|gpu| gpu.sparse = sparse);
    assert_eq!(sparse(Sparse::Offered), []);
    assert_eq!(sparse(Sparse::Withheld("it was not seen to work")), [("sparse binding", Warning)]);
    // The host emulates what a driver lacks.
    assert_eq!(change_gpu(|gpu| gpu.native_fences = false), []);
}

#[test]
fn one_usable_gpu_is_enough() {
    let mut hidden = gpu();
    hidden.uuid = "02".to_owned();
    hidden.is_version_enough = false;
    hidden.hidden_because = Some("old".to_owned());
    assert_eq!(check(|facts| facts.gpus.as_mut().unwrap().push(hidden)), [("Vulkan version", Warning)]);
}

#[test]
fn limits_of_the_system_are_looked_at() {
    assert_eq!(check(|facts| facts.system.page_bytes = 16_384), [("page size", Warning)]);
    assert_eq!(check(|facts| facts.system.open_files.hard = Some(1024)), [("open files", Warning)]);
    assert_eq!(check(|facts| facts.system.open_files.hard = None), []);
    assert_eq!(check(|facts| facts.system.shm_free_bytes = Some(1 << 20)), [("memory files", Warning)]);
    let no_files = check(|facts| facts.system.memory_file = Some(Err("cannot create a memory file".to_owned())));
    assert_eq!(no_files, [("memory files", Failure)]);
}

#[test]
fn what_a_sandbox_lacks_is_a_warning() {
    let support = |change: fn(&mut Support)| {
        check(|facts| {
            let mut support = sandbox::support();
            (support.landlock, support.filter) = (Ok(7), Ok(()));
            change(&mut support);
            facts.system.sandbox = Some(support);
        })
    };
    assert_eq!(support(|_| ()), []);
    assert_eq!(support(|support| support.landlock = Ok(4)), [], "a newer kernel would be better, and this one will do");
    assert_eq!(support(|support| support.landlock = Err("off".to_owned())), [("sandbox", Warning)]);
    assert_eq!(support(|support| support.filter = Err("off".to_owned())), [("sandbox", Warning)]);
}

#[test]
fn the_validation_layer_is_missed_only_where_it_is_wanted() {
    let missing = |wants_validation| {
        check(|facts| {
            facts.library.as_mut().unwrap().validation_layer = None;
            facts.wants_validation = wants_validation;
        })
    };
    assert_eq!(missing(false), []);
    assert_eq!(missing(true), [("validation layer", Failure)]);
}
