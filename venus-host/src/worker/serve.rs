//! The loop that serves one context, in a thread of its monitor's process or in a process of its own.

use std::sync::{Arc, OnceLock, Weak};

use super::message::{Event, Request};
use crate::{
    context::{Context, Options},
    endpoint::{Counters, Sampler, Statistics},
    error::{CREATE_BLOB, HostError},
    resource::{Blob, BlobStorage, MemoryFile},
};

/// Tells the monitor's side something, from any thread.
pub(super) type Tell = Arc<dyn Fn(Event) + Send + Sync>;

/// What looks at a context from other threads, once there is one.
pub(super) type Look = Arc<OnceLock<Sampler>>;

/// How a guest is doing, seen from outside.
pub(super) fn statistics(look: &Look) -> Statistics {
    look.get().and_then(Sampler::statistics).unwrap_or_default()
}

/// Serves the context that `options` describe until there are no more requests. All that it had is gone when this
/// returns.
pub(super) fn serve(options: Options, mut next: impl FnMut() -> Option<Request>, tell: &Tell, look: &Look) {
    let counters = Arc::<OnceLock<Weak<Counters>>>::default();
    let mut context = Context::new(options.lost(tell_of_loss(&counters, tell)));
    // Only set here. A context is lost by what it is asked to do, which comes later.
    let _first = counters.set(Arc::downgrade(&context.counters()));
    let _first = look.set(context.sampler());
    while let Some(request) = next() {
        handle(&mut context, request, tell);
    }
}

/// Says why the context is lost. The counters keep this, so it must not keep them.
fn tell_of_loss(counters: &Arc<OnceLock<Weak<Counters>>>, tell: &Tell) -> impl Fn() + Send + Sync + use<> {
    let (counters, tell) = (Arc::clone(counters), Arc::clone(tell));
    move || {
        let counters = counters.get().and_then(Weak::upgrade);
        let reason = counters.and_then(|counters| counters.lost().map(ToString::to_string));
        tell(Event::Lost(reason.unwrap_or_default()));
    }
}

fn handle(context: &mut Context, request: Request, tell: &Tell) {
    match request {
        // An error has ended the context, which was told, and logged.
        Request::Submit(commands) => drop(context.submit(&commands)),
        Request::Fence { ring_idx, token } => {
            let tell = Arc::clone(tell);
            let made = context
                .create_fence(ring_idx, Box::new(move |retired| tell(Event::Retired { ring_idx, token, retired })));
            settle(context, made, "create fence");
        }
        Request::CreateBlob { id, flags, blob_id, size } => {
            tell(Event::Blob(context.create_blob(id, flags, blob_id, size)));
        }
        Request::Plain { id, size, memory } => {
            context.take_plain(id, size, MemoryFile::adopt(memory));
            context.note_handled();
        }
        Request::Attach { id, size, is_plain, blob } => {
            let attached = attach(context, id, size, is_plain, &blob);
            if let Err(error) = attached {
                context.log_refusal(error.into_fatal("attach resource"));
            }
            context.note_handled();
        }
        Request::Detach { id } => {
            context.detach_resource(id);
            context.note_handled();
        }
        // The one is said once, before there is a context; the other is answered by who receives it.
        Request::Begin(_) | Request::Inquire => {}
    }
}

/// Ends a context whose guest is to blame, and logs what is not its fault.
pub(crate) fn settle(context: &Context, outcome: Result<(), HostError>, command: &'static str) {
    match outcome {
        Ok(()) => {}
        Err(HostError::Guest(fatal)) => context.fail(*fatal),
        Err(error) => context.log_refusal(error.into_fatal(command)),
    }
}

/// Makes a resource of others known to a context.
pub(crate) fn attach(
    context: &mut Context,
    id: crate::resource::ResourceId,
    size: u64,
    is_plain: bool,
    blob: &Blob,
) -> Result<(), HostError> {
    if !is_plain {
        return context.attach_resource(id, blob, size);
    }
    let memory = match &blob.storage {
        BlobStorage::Shm(_) | BlobStorage::Pointer(_) => blob.map()?,
        BlobStorage::DmaBuf(_) | BlobStorage::Opaque { .. } => {
            return Err(HostError::fatal(CREATE_BLOB, format!("resource {id} is no plain shared memory")));
        }
    };
    context.import_memory(id, memory)
}
