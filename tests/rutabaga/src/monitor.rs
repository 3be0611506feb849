//! Contexts, blobs, submissions and fences, as a monitor has them with `Rutabaga`.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ptr::NonNull,
    rc::Rc,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use rutabaga_gfx::{
    RUTABAGA_BLOB_MEM_HOST3D, RUTABAGA_CAPSET_VENUS, RUTABAGA_FLAG_FENCE, RUTABAGA_FLAG_INFO_RING_IDX,
    ResourceCreateBlob, Rutabaga, RutabagaBuilder, RutabagaError, RutabagaFence, RutabagaHandler,
};
use venus_guest::{BlobFlags, Capset, Mapping, Pause, ResourceId, Transport};

use crate::window::{self, Window};

/// A monitor that several virtqueues use.
pub type Shared = Rc<RefCell<Monitor>>;

/// Blobs of this size and above are put into the window, smaller ones are mapped wherever the library likes: a monitor may
/// do either.
const PLACED_BYTES: u64 = 64 << 10;

/// One virtio-gpu device.
pub struct Monitor {
    rutabaga: Rutabaga,
    fences: Arc<Fences>,
    last_fence: u64,
    last_resource: u32,
    /// Where in the window resources are, and their sizes.
    placed: BTreeMap<u32, (NonNull<u8>, usize)>,
    /// Last, so that nothing is mapped in it any more when it goes.
    window: Window,
}

/// Fences that have not retired.
#[derive(Default)]
struct Fences {
    state: Mutex<FenceState>,
    changed: Condvar,
}

#[derive(Default)]
struct FenceState {
    pending: BTreeSet<(u32, u8, u64)>,
    failed: u64,
}

impl Fences {
    fn lock(&self) -> MutexGuard<'_, FenceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told by the library, on any thread.
    fn retire(&self, fence: &RutabagaFence) {
        let mut state = self.lock();
        if !state.pending.remove(&key(fence)) {
            state.failed += 1;
        }
        self.changed.notify_all();
    }
}

fn key(fence: &RutabagaFence) -> (u32, u8, u64) {
    (fence.ctx_id, fence.ring_idx, fence.fence_id)
}

/// Says what `rutabaga_gfx` says.
fn told(error: RutabagaError) -> anyhow::Error {
    anyhow!("{error}")
}

impl Monitor {
    /// Starts the device, as crosvm does for `--gpu=backend=virglrenderer,context-types=venus`.
    pub fn start() -> Result<Shared> {
        let fences = Arc::<Fences>::default();
        let retiring = Arc::clone(&fences);
        let handler = RutabagaHandler::new(move |fence: RutabagaFence| retiring.retire(&fence));
        let builder = RutabagaBuilder::new(1 << RUTABAGA_CAPSET_VENUS, handler);
        let builder = builder.set_use_external_blob(true).set_use_render_server(true);
        let rutabaga = builder.build().map_err(told)?;
        let window = Window::new()?;
        Ok(Rc::new(RefCell::new(Self {
            rutabaga,
            fences,
            last_fence: 0,
            last_resource: 0,
            placed: BTreeMap::new(),
            window,
        })))
    }

    /// GET_CAPSET_INFO, for all that there are.
    pub fn capset_ids(&self) -> Result<Vec<u32>> {
        let all = 0..self.rutabaga.get_num_capsets();
        all.map(|index| self.rutabaga.get_capset_info(index).map(|(id, ..)| id).map_err(told)).collect()
    }

    /// Fences that have retired without having been asked for.
    pub fn failed_fences(&self) -> u64 {
        self.fences.lock().failed
    }

    /// How a resource's memory is cached.
    pub fn map_info(&self, resource: ResourceId) -> Result<u32> {
        Ok(self.rutabaga.map_info(resource.0).map_err(told)? & 0xf)
    }

    /// CTX_DESTROY.
    pub fn destroy_context(&mut self, context: u32) -> Result<()> {
        self.rutabaga.destroy_context(context).map_err(told)
    }

    /// RESOURCE_CREATE_BLOB, CTX_ATTACH_RESOURCE and RESOURCE_MAP_BLOB.
    fn create_blob(&mut self, context: u32, blob: ResourceCreateBlob) -> Result<(ResourceId, NonNull<u8>)> {
        self.last_resource += 1;
        let id = self.last_resource;
        self.rutabaga.resource_create_blob(context, id, blob, None, None).map_err(told)?;
        self.rutabaga.context_attach_resource(context, id).map_err(told)?;
        let address = if blob.size >= PLACED_BYTES {
            let bytes = usize::try_from(blob.size)?;
            let place = self.window.place(bytes)?;
            self.rutabaga.map_placed(id, u64::try_from(place.addr().get())?).map_err(told)?;
            self.placed.insert(id, (place, bytes));
            place
        } else {
            let mapping = self.rutabaga.map(id).map_err(told)?;
            ensure!(mapping.size >= blob.size, "{} bytes are mapped of {}", mapping.size, blob.size);
            NonNull::new(std::ptr::with_exposed_provenance_mut(usize::try_from(mapping.ptr)?))
                .context("mapped at null")?
        };
        Ok((ResourceId(id), address))
    }

    /// Asks for a fence, and returns what it is known by.
    fn create_fence(&mut self, ctx_id: u32, ring_idx: u8) -> Result<(u32, u8, u64)> {
        self.last_fence += 1;
        let flags = RUTABAGA_FLAG_FENCE | RUTABAGA_FLAG_INFO_RING_IDX;
        let fence = RutabagaFence { flags, fence_id: self.last_fence, ctx_id, ring_idx };
        let key = key(&fence);
        self.fences.lock().pending.insert(key);
        self.rutabaga.create_fence(fence).map_err(told)?;
        Ok(key)
    }
}

/// A guest's way to the device: its kernel's end of the virtqueue, for one context.
pub struct Virtqueue {
    monitor: Shared,
    context: u32,
    capset: Capset,
}

impl Virtqueue {
    /// GET_CAPSET and CTX_CREATE.
    pub fn open(monitor: &Shared, context: u32) -> Result<Self> {
        let capset = monitor.borrow().rutabaga.get_capset(RUTABAGA_CAPSET_VENUS, 0).map_err(told)?;
        let capset = Capset::parse(&capset);
        // The capset's id is the context's type.
        monitor.borrow_mut().rutabaga.create_context(context, RUTABAGA_CAPSET_VENUS, Some("guest")).map_err(told)?;
        Ok(Self { monitor: Rc::clone(monitor), context, capset })
    }
}

impl Transport for Virtqueue {
    fn capset(&self) -> &Capset {
        &self.capset
    }

    fn create_blob(&mut self, flags: BlobFlags, blob_id: u64, size: u64) -> Result<(ResourceId, Mapping)> {
        let blob = ResourceCreateBlob { blob_mem: RUTABAGA_BLOB_MEM_HOST3D, blob_flags: flags.0, blob_id, size };
        let (id, address) = self.monitor.borrow_mut().create_blob(self.context, blob)?;
        // SAFETY:
        // - the library has mapped `size` bytes there, at the start of a page, and keeps them until `unref_resource`, which
        //   is called when the mapping is gone;
        // - this process makes atomics of it only.
        let mapping = unsafe { Mapping::kept(address, usize::try_from(size)?, Box::new(())) };
        Ok((id, mapping))
    }

    fn unref_resource(&mut self, resource: ResourceId) -> Result<()> {
        let Monitor { rutabaga, placed, .. } = &mut *self.monitor.borrow_mut();
        match placed.remove(&resource.0) {
            // SAFETY: the place is the resource's, whose mapping is gone by the contract of this function.
            Some((place, bytes)) => unsafe { window::clear(place, bytes) }?,
            None => rutabaga.unmap(resource.0).map_err(told)?,
        }
        // A context that is gone knows no resources.
        let _gone = rutabaga.context_detach_resource(self.context, resource.0);
        rutabaga.unref_resource(resource.0).map_err(told)
    }

    fn submit(&mut self, commands: &[u8]) -> Result<()> {
        let mut commands = commands.to_vec();
        self.monitor.borrow_mut().rutabaga.submit_command(self.context, &mut commands, &[]).map_err(told)
    }

    fn submit_and_wait(&mut self, commands: &[u8], ring_idx: u32, timeout: Duration) -> Result<()> {
        self.submit(commands)?;
        let fence = self.monitor.borrow_mut().create_fence(self.context, u8::try_from(ring_idx)?)?;
        let fences = Arc::clone(&self.monitor.borrow().fences);
        let is_pending = |state: &mut FenceState| state.pending.contains(&fence);
        let waited = fences.changed.wait_timeout_while(fences.lock(), timeout, is_pending);
        let (_state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        ensure!(!waited.timed_out(), "a fence does not retire in {timeout:?}");
        Ok(())
    }

    fn pause(&mut self, pause: Pause) -> Result<()> {
        match pause {
            Pause::Short => std::hint::spin_loop(),
            Pause::Long => thread::sleep(Duration::from_micros(100)),
        }
        Ok(())
    }
}

impl Drop for Virtqueue {
    fn drop(&mut self) {
        // It may have been destroyed before.
        let _gone = self.monitor.borrow_mut().destroy_context(self.context);
    }
}
