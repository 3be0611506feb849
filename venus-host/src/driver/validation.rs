//! The Khronos validation layer on the host's own instance, for whoever looks for a bug in a guest.
//!
//! With [`Config::validate`](super::Config::validate) the layer stands between this host and the driver. Guests are
//! offered nothing new and notice nothing but the time it takes. Each message becomes a line in the log, with the guest's
//! command that caused it: the thread that executes a command says so beforehand ([`begin`]), and the layer calls back
//! on that thread.
//!
//! Not everything that the layer finds is the guest's doing. What this host does on purpose is in [`HOSTS_OWN`].

use std::{
    borrow::Cow,
    cell::Cell,
    collections::BTreeMap,
    ffi::{CStr, c_void},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ash::vk;
use parking_lot::Mutex;

use crate::{error::object_type_name, limits};

/// The layer's name.
pub(crate) const LAYER: &CStr = c"VK_LAYER_KHRONOS_validation";

/// How to get it.
pub(crate) const HOW_TO_GET: &str = "install the Vulkan validation layers (Debian: vulkan-validationlayers; macOS: the Vulkan SDK), or set VK_LAYER_PATH";

/// Rules that the host breaks of its own accord and means to, with the reason. They are not told: the layer blames the
/// guest, whose buffers and images are ordinary, for memory that the host shares behind its back.
const HOSTS_OWN: &[(&[&str], &str)] = &[
    (
        &[
            "VUID-vkBindBufferMemory-memory-02726",
            "VUID-VkBindBufferMemoryInfo-memory-02726",
            "VUID-vkBindImageMemory-memory-02728",
            "VUID-VkBindImageMemoryInfo-memory-02728",
            "VUID-VkSparseMemoryBind-memory-02730",
            "VUID-VkSparseImageMemoryBind-memory-02732",
        ],
        "memory that a guest can map is exported; what is bound to it does not say so, and no driver minds",
    ),
    (
        &[
            "VUID-vkBindBufferMemory-memory-02727",
            "VUID-VkBindBufferMemoryInfo-memory-02727",
            "VUID-vkBindImageMemory-memory-02729",
            "VUID-VkBindImageMemoryInfo-memory-02729",
            "VUID-VkSparseMemoryBind-memory-02731",
            "VUID-VkSparseImageMemoryBind-memory-02733",
        ],
        "as above, where such memory is imported instead; drivers that mind sparse bindings have none",
    ),
    (
        &[
            "VUID-vkBindBufferMemory-memory-02985",
            "VUID-VkBindBufferMemoryInfo-memory-02985",
            "VUID-vkBindImageMemory-memory-02989",
            "VUID-VkBindImageMemoryInfo-memory-02989",
        ],
        "as above, in later specifications",
    ),
];

/// Whether the host breaks a rule, and no guest can help it.
fn is_hosts_own(rule: &str) -> bool {
    HOSTS_OWN.iter().any(|(rules, _)| rules.contains(&rule))
}

/// The command of the guest's that this thread executes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Current {
    /// Vulkan name.
    pub(crate) command: &'static str,
    /// The ring that it came by; `None` for a direct submission.
    pub(crate) ring: Option<u64>,
    /// Whether it lay in a stream that another command names.
    pub(crate) is_indirect: bool,
    /// Byte position in its stream.
    pub(crate) position: u64,
}

impl fmt::Display for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stream = if self.is_indirect { "indirect stream of " } else { "" };
        write!(f, "{}, {stream}", self.command)?;
        match self.ring {
            Some(ring) => write!(f, "ring {ring:#x}")?,
            None => f.write_str("direct submission")?,
        }
        write!(f, " at byte {}", self.position)
    }
}

thread_local! {
    static CURRENT: Cell<Option<Current>> = const { Cell::new(None) };
}

/// From here on, what the layer says on this thread is about `command`.
pub(crate) fn begin(command: Current) {
    CURRENT.set(Some(command));
}

/// The command is over.
pub(crate) fn end() {
    CURRENT.set(None);
}

/// Where one context's messages go.
#[derive(Debug)]
pub(crate) struct Findings {
    /// What the log calls the context.
    context: String,
    /// How many there were.
    total: Arc<AtomicU64>,
    /// How many of each kind.
    kinds: Mutex<BTreeMap<String, u64>>,
}

/// One message of the layer's.
struct Message<'a> {
    is_error: bool,
    /// The rule that was broken, such as `VUID-vkCmdDraw-None-02697`.
    rule: Cow<'a, str>,
    text: Cow<'a, str>,
    /// Names of the objects that it concerns.
    objects: Vec<Cow<'a, str>>,
}

impl Findings {
    /// Nothing yet. `total` is counted up.
    pub(crate) fn new(context: String, total: Arc<AtomicU64>) -> Self {
        Self { context, total, kinds: Mutex::default() }
    }

    /// Counts a message and logs it, unless there were enough of its kind.
    fn note(&self, message: &Message<'_>, cause: Option<Current>) {
        if is_hosts_own(&message.rule) {
            return;
        }
        self.total.fetch_add(1, Ordering::Relaxed);
        let before = {
            let mut kinds = self.kinds.lock();
            if !kinds.contains_key(&*message.rule) && kinds.len() >= limits::FINDING_KINDS {
                return;
            }
            let count = kinds.entry(message.rule.clone().into_owned()).or_insert(0);
            let before = *count;
            *count = before.saturating_add(1);
            before
        };
        if before >= limits::LOGGED_FINDINGS {
            return;
        }
        let line = line(message, cause, before.saturating_add(1) == limits::LOGGED_FINDINGS);
        let context = &*self.context;
        if message.is_error {
            tracing::error!(context, "{line}");
        } else {
            tracing::warn!(context, "{line}");
        }
    }

    /// What was found, most frequent first; `None` if nothing was.
    fn summary(&self) -> Option<String> {
        let kinds = self.kinds.lock();
        if kinds.is_empty() {
            return None;
        }
        let mut rows: Vec<_> = kinds.iter().collect();
        rows.sort_by(|one, two| two.1.cmp(one.1));
        let rows: Vec<_> = rows.into_iter().map(|(rule, count)| format!("{rule} x {count}")).collect();
        Some(format!("validation sent {} messages: {}", self.total.load(Ordering::Relaxed), rows.join(", ")))
    }
}

impl Drop for Findings {
    fn drop(&mut self) {
        if let Some(summary) = self.summary() {
            tracing::warn!(context = &*self.context, "{summary}");
        }
    }
}

/// A message as one line.
fn line(message: &Message<'_>, cause: Option<Current>, is_last: bool) -> String {
    let mut line = format!("validation: {}: {}", message.rule, plain(&message.text));
    let text = &message.text;
    let unsaid: Vec<_> = message.objects.iter().filter(|name| !text.contains(&***name)).map(|name| &**name).collect();
    if !unsaid.is_empty() {
        line.push_str(&format!(" [{}]", unsaid.join(", ")));
    }
    match cause {
        Some(cause) => line.push_str(&format!(" ({cause})")),
        None => line.push_str(" (outside of any command)"),
    }
    if is_last {
        line.push_str("; more of this kind are only counted");
    }
    line
}

/// The message without line breaks, and without the headings of older layers, which repeat what is said elsewhere.
fn plain(text: &str) -> String {
    let body = match text.strip_prefix("Validation ") {
        Some(_) => text.rsplit_once(" | ").map_or(text, |(_, body)| body),
        None => text,
    };
    body.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How a messenger is made that tells `findings`, which has to outlive it.
pub(super) fn messenger_info(findings: &Findings) -> vk::DebugUtilsMessengerCreateInfoEXT<'static> {
    type Severity = vk::DebugUtilsMessageSeverityFlagsEXT;
    type Kind = vk::DebugUtilsMessageTypeFlagsEXT;
    vk::DebugUtilsMessengerCreateInfoEXT::default()
        .message_severity(Severity::WARNING | Severity::ERROR)
        .message_type(Kind::VALIDATION | Kind::PERFORMANCE)
        .pfn_user_callback(Some(receive))
        .user_data(std::ptr::from_ref(findings).cast_mut().cast())
}

/// What the layer shall call an object that the guest calls `id`.
pub(crate) fn object_name(kind: vk::ObjectType, id: u64) -> std::ffi::CString {
    // Neither has a NUL in it.
    std::ffi::CString::new(format!("{} {id:#x}", object_type_name(kind))).unwrap_or_default()
}

/// What the layer calls, on the thread that made the mistake.
///
/// # Safety
///
/// `data` is null or as Vulkan specifies; `findings` is what [`messenger_info`] was given.
unsafe extern "system" fn receive(
    severity: vk::DebugUtilsMessageSeverityFlagsEXT,
    _kinds: vk::DebugUtilsMessageTypeFlagsEXT,
    data: *const vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    findings: *mut c_void,
) -> vk::Bool32 {
    // SAFETY: a `Findings` that outlives the messenger, by this function's contract; it is only ever shared.
    let findings = unsafe { findings.cast_const().cast::<Findings>().as_ref() };
    // SAFETY: null or a structure that lives during this call.
    let data = unsafe { data.as_ref() };
    if let (Some(findings), Some(data)) = (findings, data) {
        let message = Message {
            is_error: severity.contains(vk::DebugUtilsMessageSeverityFlagsEXT::ERROR),
            rule: text(data.p_message_id_name).unwrap_or_else(|| format!("message {}", data.message_id_number).into()),
            text: text(data.p_message).unwrap_or_default(),
            objects: named_objects(data),
        };
        // Nothing may unwind into the layer.
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| findings.note(&message, CURRENT.get())));
        debug_assert!(told.is_ok(), "telling a finding panicked");
    }
    vk::FALSE
}

/// The names of the objects that a message concerns, of those that have one.
fn named_objects<'a>(data: &vk::DebugUtilsMessengerCallbackDataEXT<'a>) -> Vec<Cow<'a, str>> {
    // SAFETY: count and pointer belong together, as Vulkan specifies, and live during the callback.
    let objects = unsafe { super::device::slice(data.p_objects, data.object_count) };
    objects.iter().filter_map(|object| text(object.p_object_name)).collect()
}

/// A string of the layer's.
fn text<'a>(pointer: *const std::ffi::c_char) -> Option<Cow<'a, str>> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: not null, so it ends with NUL and lives during the callback, as Vulkan specifies.
    Some(unsafe { CStr::from_ptr(pointer) }.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<'a>(rule: &'a str, text: &'a str) -> Message<'a> {
        Message { is_error: true, rule: rule.into(), text: text.into(), objects: Vec::new() }
    }

    const CAUSE: Current = Current { command: "vkCmdDraw", ring: Some(0x1000), is_indirect: false, position: 64 };

    #[test]
    fn a_message_is_one_line_with_its_command() {
        let new = line(&message("VUID-x", "vkCmdDraw(): no\npipeline.\n"), Some(CAUSE), false);
        assert_eq!(new, "validation: VUID-x: vkCmdDraw(): no pipeline. (vkCmdDraw, ring 0x1000 at byte 64)");
        let old = "Validation Error: [ VUID-x ] Object 0: handle = 0x1, type = VK_OBJECT_TYPE_DEVICE; | MessageID = 0x2 | No.";
        let mut old = message("VUID-x", old);
        old.objects = vec!["VkBuffer 7".into()];
        let cause = Current { ring: None, is_indirect: true, ..CAUSE };
        assert_eq!(
            line(&old, Some(cause), true),
            "validation: VUID-x: No. [VkBuffer 7] (vkCmdDraw, indirect stream of direct submission at byte 64); \
             more of this kind are only counted"
        );
    }

    #[test]
    fn findings_are_counted_by_kind() {
        let total = Arc::new(AtomicU64::new(0));
        let findings = Findings::new("test".to_owned(), Arc::clone(&total));
        assert_eq!(findings.summary(), None);
        for _ in 0..5 {
            findings.note(&message("VUID-a", "a"), None);
        }
        findings.note(&message("VUID-b", "b"), Some(CAUSE));
        // What the host does.
        for rule in ["VUID-VkBindBufferMemoryInfo-memory-02985", "VUID-VkSparseMemoryBind-memory-02731"] {
            findings.note(&message(rule, "ours"), None);
        }
        assert_eq!(total.load(Ordering::Relaxed), 6);
        assert_eq!(findings.summary().as_deref(), Some("validation sent 6 messages: VUID-a x 5, VUID-b x 1"));
    }
}
