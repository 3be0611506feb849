//! What guests are given to do, and what their output means.

use super::machine::{Machine, Report};
use crate::picture::Picture;
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::time::Duration;

/// Lists the graphics driver among the kernel's modules, and what Vulkan finds.
pub const SUMMARY: &str = "/run/busybox lsmod | grep '^virtio_gpu '\nvulkaninfo --summary";

/// Where the pictures of a screen are left, beside the job.
const SCREEN: &str = "screen.xwd";

/// A job's line that sets up an X server whose screen can be looked at with [`WATCH`].
const X_SERVER: &str = "mkdir /tmp/screen
Xvfb :0 -screen 0 640x640x24 -fbdir /tmp/screen -nolisten tcp >xvfb.log 2>&1 &
export DISPLAY=:0 MESA_VK_WSI_DEBUG=sw
until [ -e /tmp/.X11-unix/X0 ]; do sleep 0.1; done
";

/// Runs what follows in the background and leaves pictures of the screen until it ends; the last one that was taken while
/// it ran is what is seen outside.
const WATCH: &str = "program=$!
while kill -0 $program 2>/dev/null; do
    cp /tmp/screen/Xvfb_screen0 next.xwd
    kill -0 $program 2>/dev/null && mv next.xwd screen.xwd
    sleep 0.3
done
wait $program
";

/// One of the programs that a window is drawn by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windowed {
    /// vkcube, with so many frames.
    Cube(u32),
    /// glxgears through Zink, for so many seconds.
    Gears(u32),
}

impl Windowed {
    /// The job.
    pub fn job(self) -> String {
        match self {
            Self::Cube(frames) => format!("{X_SERVER}vkcube --c {frames} --present_mode 0 &\n{WATCH}"),
            // Zink takes a device of type CPU, as lavapipe's is, only if software is asked for; Xvfb has no DRI3.
            Self::Gears(seconds) => format!(
                "{X_SERVER}export MESA_LOADER_DRIVER_OVERRIDE=zink GALLIUM_DRIVER=zink LIBGL_ALWAYS_SOFTWARE=1\n\
                 export LIBGL_KOPPER_DRI2=1\n\
                 timeout {seconds} glxgears -info &\n{WATCH}[ $? = 124 ]\n"
            ),
        }
    }
}

/// The picture that a [`Windowed`] program left.
///
/// # Errors
///
/// It left none.
pub fn picture(report: &Report) -> Result<Picture> {
    window(report.folder.path()).context("the program ended before a picture was taken")
}

/// The windows of the last picture in a job's folder.
fn window(folder: &Path) -> Option<Picture> {
    Picture::from_xwd(&std::fs::read(folder.join(SCREEN)).ok()?).ok()?.window()
}

/// What [`SUMMARY`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The device's name.
    pub device: String,
    /// The version of Vulkan that it offers.
    pub api: String,
    /// Which driver it is of.
    pub driver: String,
}

/// Reads what [`SUMMARY`] printed.
///
/// # Errors
///
/// The graphics driver is not among the kernel's modules, or there is no device.
pub fn summary(report: &Report) -> Result<Summary> {
    ensure!(report.out.lines().any(|line| line.starts_with("virtio_gpu ")), "no module virtio_gpu:\n{}", report.out);
    let field = |name: &str| -> Option<String> {
        let lines = report.out.lines().filter_map(|line| line.trim().strip_prefix(name)?.trim().strip_prefix("= "));
        lines.map(str::to_owned).next()
    };
    let found =
        || Some(Summary { device: field("deviceName")?, api: field("apiVersion")?, driver: field("driverName")? });
    found().with_context(|| format!("vulkaninfo lists no device:\n{}", report.out))
}

/// Frames a second, the least and the most of them, as the case `frames` says them: `OK 10000 frames, 3120 a second
/// (2890 to 3300)`.
pub fn rates(text: &str) -> Option<[f64; 3]> {
    text.lines().find_map(|line| {
        let (_, rates) = line.strip_prefix("OK ")?.split_once(" frames, ")?;
        let (mean, rest) = rates.split_once(" a second (")?;
        let (least, most) = rest.strip_suffix(')')?.split_once(" to ")?;
        Some([mean.parse().ok()?, least.parse().ok()?, most.parse().ok()?])
    })
}

/// Milliseconds to a program's devices and to its first work done, as the case `first-reply` says them: `OK devices after
/// 40.1 ms, work done after 52.0 ms`.
pub fn first_reply(text: &str) -> Option<[f64; 2]> {
    let rest = text.lines().find_map(|line| line.strip_prefix("OK devices after "))?;
    let (devices, done) = rest.strip_suffix(" ms")?.split_once(" ms, work done after ")?;
    Some([devices.parse().ok()?, done.parse().ok()?])
}

/// Runs a job that draws in a window. Starting an X server under translation takes a while.
///
/// # Errors
///
/// As [`Machine::run`].
pub fn draw(machine: Machine<'_>) -> Result<Report> {
    machine.limit(Duration::from_secs(900)).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_of_cases_are_read() {
        let text = "noise\nOK 50 allocations\nOK 10000 frames, 3120 a second (2890 to 3300)\n";
        assert_eq!(rates(text), Some([3120.0, 2890.0, 3300.0]));
        assert_eq!(rates("FAIL 10000 frames, 3120 a second (2890 to 3300)"), None);
        assert_eq!(first_reply("OK devices after 40.1 ms, work done after 52.0 ms"), Some([40.1, 52.0]));
    }
}
