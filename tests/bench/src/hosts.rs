//! Times vtest hosts through the same small guest, in turns, so that what else the machine does troubles all of them
//! alike.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use venus_guest::{Gpu, Guest};
use venus_protocol::args::{
    BeginCommandBufferArgs, CmdSetLineWidthArgs, EndCommandBufferArgs, EnumerateInstanceVersionArgs,
    GetDescriptorSetLayoutSupportArgs,
};
use venus_protocol::vk;
use venus_protocol::wire::{Command as _, Encoder, Handle};

use crate::report::{median, quantile};
use crate::rows::{Outcome, Row, Times};

/// Synchronous calls in a turn.
const CALLS: usize = 20_000;
/// Commands that are recorded into one command buffer.
const COMMANDS: u32 = 200_000;
/// Submissions in a turn.
const SUBMITS: usize = 500;
/// Connections in a turn.
const STARTS: usize = 3;

/// A host to measure.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    name: String,
    socket: PathBuf,
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, socket) = text.split_once('=').ok_or_else(|| format!("{text:?} is not NAME=SOCKET"))?;
        Ok(Self { name: name.to_owned(), socket: PathBuf::from(socket) })
    }
}

/// What is measured, and in which unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    FirstReply,
    Device,
    Call,
    RecordStream,
    RecordRing,
    Submit,
}

impl Quantity {
    const ALL: [Self; 6] =
        [Self::FirstReply, Self::Device, Self::Call, Self::RecordStream, Self::RecordRing, Self::Submit];

    fn key(self) -> &'static str {
        match self {
            Self::FirstReply => "first_reply",
            Self::Device => "device_ready",
            Self::Call => "sync_call",
            Self::RecordStream => "record_stream",
            Self::RecordRing => "record_ring",
            Self::Submit => "submit_wait",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::FirstReply => "start-up: connect to first reply, ms",
            Self::Device => "start-up: connect to device and queue, ms",
            Self::Call => "synchronous call (vkGetDescriptorSetLayoutSupport), us",
            Self::RecordStream => "vkCmdSetLineWidth, 200 000 in one stream, then submit + wait, ns each",
            Self::RecordRing => "the same, each command sent by itself, ns each",
            Self::Submit => "empty submit + fence wait, us",
        }
    }

    /// Nanoseconds in its unit.
    fn unit_ns(self) -> f64 {
        match self {
            Self::FirstReply | Self::Device => 1e6,
            Self::Call | Self::Submit => 1e3,
            Self::RecordStream | Self::RecordRing => f64::from(COMMANDS),
        }
    }
}

/// One quantity of one host.
struct Figures {
    quantity: Quantity,
    /// What each turn said.
    turns: Vec<Times>,
    /// Every single time.
    samples: Vec<f64>,
}

/// All quantities of one host.
pub(crate) struct Measured {
    host: Host,
    device: String,
    figures: Vec<Figures>,
}

impl Measured {
    fn add(&mut self, quantity: Quantity, times: &[Duration]) {
        #[expect(clippy::cast_precision_loss, reason = "times here are far below 2^52 ns")]
        let times: Vec<f64> = times.iter().map(|time| time.as_nanos() as f64 / quantity.unit_ns()).collect();
        if let Some(figures) = self.figures.iter_mut().find(|figures| figures.quantity == quantity) {
            figures.turns.push(Times { p99: slowest(&times), ..Times::from(median(times.clone())) });
            figures.samples.extend(times);
        }
    }

    fn p50(&self, quantity: Quantity) -> Option<f64> {
        let figures = self.figures.iter().find(|figures| figures.quantity == quantity)?;
        Some(median(figures.turns.iter().map(|times| times.p50).collect()))
    }

    fn p99(&self, quantity: Quantity) -> Option<f64> {
        let figures = self.figures.iter().find(|figures| figures.quantity == quantity)?;
        slowest(&figures.samples)
    }

    fn turns(&self, quantity: Quantity) -> Vec<Times> {
        let figures = self.figures.iter().find(|figures| figures.quantity == quantity);
        figures.map(|figures| figures.turns.clone()).unwrap_or_default()
    }
}

/// The time that all but one per cent do not exceed. A hundred are the least of which that means something.
fn slowest(times: &[f64]) -> Option<f64> {
    (times.len() >= 100).then(|| quantile(times.to_vec(), 0.99))
}

/// Measures all hosts, turn by turn.
pub(crate) fn measure(hosts: &[Host], rounds: usize) -> Result<Vec<Measured>> {
    ensure!(rounds > 0, "there is nothing to measure in 0 turns");
    let new = |host: &Host| Measured {
        host: host.clone(),
        device: String::new(),
        figures: Quantity::ALL
            .map(|quantity| Figures { quantity, turns: Vec::new(), samples: Vec::new() })
            .into_iter()
            .collect(),
    };
    let mut all: Vec<Measured> = hosts.iter().map(new).collect();
    for _ in 0..rounds {
        for measured in &mut all {
            turn(measured).with_context(|| format!("measuring {}", measured.host.name))?;
        }
        // Whoever was first is last in the next turn.
        all.rotate_left(1);
    }
    let rank = |measured: &Measured| hosts.iter().position(|host| host.name == measured.host.name);
    all.sort_by_key(rank);
    Ok(all)
}

fn turn(measured: &mut Measured) -> Result<()> {
    let (mut first_replies, mut devices) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let started = Instant::now();
        let mut guest = connect(&measured.host)?;
        guest.succeed(&EnumerateInstanceVersionArgs { p_api_version: &mut 0 })?;
        first_replies.push(started.elapsed());
        let gpu = Gpu::open(guest)?;
        devices.push(started.elapsed());
        measured.device = gpu.device_name();
        gpu.close()?;
    }
    measured.add(Quantity::FirstReply, &first_replies);
    measured.add(Quantity::Device, &devices);

    let mut gpu = Gpu::open(connect(&measured.host)?)?;
    measured.add(Quantity::Call, &calls(&mut gpu)?);
    let command_buffer = gpu.begin()?;
    let fence = gpu.fence()?;
    // The first time warms up the host's memory.
    for warm in [false, true] {
        let stream = record_stream(&mut gpu, command_buffer, fence)?;
        let ring = record_ring(&mut gpu, command_buffer, fence)?;
        if warm {
            measured.add(Quantity::RecordStream, &[stream]);
            measured.add(Quantity::RecordRing, &[ring]);
        }
    }
    measured.add(Quantity::Submit, &submits(&mut gpu, fence)?);
    gpu.close()
}

fn connect(host: &Host) -> Result<Guest> {
    #[expect(unsafe_code, reason = "the measurements keep the encoder's contract")]
    // SAFETY: what is sent here and in `Gpu` was filled through ash's setters, which tie every pointer to what it leads
    // to.
    unsafe {
        Guest::connect(&host.socket, "venus-bench")
    }
}

/// Calls that the host answers without asking the GPU.
fn calls(gpu: &mut Gpu) -> Result<Vec<Duration>> {
    let device = gpu.device;
    let bindings = [vk::DescriptorSetLayoutBinding::default()
        .descriptor_type(vk::DescriptorType::UNIFORM_BUFFER)
        .descriptor_count(1)
        .stage_flags(vk::ShaderStageFlags::VERTEX)];
    let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
    let mut support = vk::DescriptorSetLayoutSupport::default();
    let args = GetDescriptorSetLayoutSupportArgs { device, p_create_info: &info, p_support: &mut support };
    let call = |_| {
        let started = Instant::now();
        gpu.guest().run(&args)?;
        Ok(started.elapsed())
    };
    (0..CALLS).map(call).collect()
}

/// Commands in one long stream, as Mesa's driver sends the commands of a command buffer.
fn record_stream(
    gpu: &mut Gpu,
    command_buffer: Handle<vk::CommandBuffer>,
    fence: Handle<vk::Fence>,
) -> Result<Duration> {
    #[expect(unsafe_code, reason = "the measurements keep the encoder's contract")]
    // SAFETY: these commands hold no pointers, but for the empty information about inheritance.
    let mut stream = unsafe { Encoder::new() };
    let started = Instant::now();
    let p_begin_info = &vk::CommandBufferBeginInfo::default();
    BeginCommandBufferArgs { command_buffer, p_begin_info }.encode(&mut stream, 0);
    for _ in 0..COMMANDS {
        CmdSetLineWidthArgs { command_buffer, line_width: 1.0 }.encode(&mut stream, 0);
    }
    EndCommandBufferArgs { command_buffer }.encode(&mut stream, 0);
    gpu.guest().execute(stream.bytes())?;
    submit_and_wait(gpu, &[command_buffer.raw], fence)?;
    Ok(started.elapsed())
}

/// Commands one by one: each is published by itself.
fn record_ring(gpu: &mut Gpu, command_buffer: Handle<vk::CommandBuffer>, fence: Handle<vk::Fence>) -> Result<Duration> {
    let started = Instant::now();
    let guest = gpu.guest();
    guest.send(&BeginCommandBufferArgs { command_buffer, p_begin_info: &vk::CommandBufferBeginInfo::default() })?;
    for _ in 0..COMMANDS {
        guest.send(&CmdSetLineWidthArgs { command_buffer, line_width: 1.0 })?;
    }
    guest.send(&EndCommandBufferArgs { command_buffer })?;
    submit_and_wait(gpu, &[command_buffer.raw], fence)?;
    Ok(started.elapsed())
}

fn submits(gpu: &mut Gpu, fence: Handle<vk::Fence>) -> Result<Vec<Duration>> {
    let submit = |_| {
        let started = Instant::now();
        submit_and_wait(gpu, &[], fence)?;
        Ok(started.elapsed())
    };
    (0..SUBMITS).map(submit).collect()
}

/// The wait is a blocking `vkWaitForFences`, for every host alike.
fn submit_and_wait(gpu: &mut Gpu, command_buffers: &[vk::CommandBuffer], fence: Handle<vk::Fence>) -> Result<()> {
    gpu.submit(command_buffers, fence)?;
    gpu.wait(fence)?;
    gpu.reset(fence)
}

/// For people.
pub(crate) fn table(all: &[Measured]) -> String {
    let mut out =
        String::from("\nhosts: the same guest, in turns; median of the turns' medians, 99th percentile of all\n\n");
    for measured in all {
        let _ = writeln!(out, "{:<15} on {}", measured.host.name, measured.device);
    }
    let _ = write!(out, "\n{:<72}", "");
    for measured in all {
        let _ = write!(out, "{:>16}{:>9}", measured.host.name, "p99");
    }
    let _ = writeln!(out, "{:>8}", if all.len() > 1 { "ratio" } else { "" });
    for quantity in Quantity::ALL {
        let _ = write!(out, "{:<72}", quantity.title());
        for measured in all {
            let p99 = measured.p99(quantity).map_or("-".to_owned(), |p99| format!("{p99:.2}"));
            let _ = write!(out, "{:>16.2}{p99:>9}", measured.p50(quantity).unwrap_or_default());
        }
        if let [ours, .., other] = all
            && let (Some(ours), Some(other)) = (ours.p50(quantity), other.p50(quantity))
        {
            let _ = write!(out, "{:>8.2}", ours / other);
        }
        out.push('\n');
    }
    out
}

/// For programs.
pub(crate) fn json(all: &[Measured]) -> Value {
    let hosts = all.iter().map(|measured| {
        let figures = Quantity::ALL.iter().map(|quantity| {
            let p99 = measured.p99(*quantity);
            (quantity.key().to_owned(), json!({ "what": quantity.title(), "p50": measured.p50(*quantity), "p99": p99 }))
        });
        json!({
            "name": measured.host.name, "device": measured.device,
            "figures": figures.collect::<serde_json::Map<_, _>>(),
        })
    });
    json!({ "hosts": hosts.collect::<Vec<_>>(), "rows": rows(all) })
}

/// As the page has them: the first host is ours, the last one the peer.
fn rows(all: &[Measured]) -> Vec<Value> {
    let [ours, .., peer] = all else { return Vec::new() };
    let row = |quantity: Quantity| {
        let outcome = |measured: &Measured| Outcome { turns: measured.turns(quantity), failed: None };
        Row([Outcome::default(), outcome(ours), outcome(peer)]).json(quantity.key(), quantity.title())
    };
    Quantity::ALL.into_iter().map(row).collect()
}
