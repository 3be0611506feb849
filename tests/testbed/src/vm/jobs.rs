//! What guests are given to do, and what their output means.

use super::machine::Machine;
use super::session::Report;
use crate::picture::Picture;
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::time::Duration;

/// Lists the graphics driver among the kernel's modules, and what Vulkan finds.
pub const SUMMARY: &str = "/run/busybox lsmod | grep '^virtio_gpu '\nvulkaninfo --summary";

/// A job's line that sets up an X server whose screen can be looked at with [`WATCH`].
const X_SERVER: &str = "mkdir /tmp/screen
Xvfb :0 -screen 0 640x640x24 -fbdir /tmp/screen -nolisten tcp >xvfb.log 2>&1 &
export DISPLAY=:0 MESA_VK_WSI_DEBUG=sw
until [ -e /tmp/.X11-unix/X0 ] && [ -e /tmp/screen/Xvfb_screen0 ]; do sleep 0.1; done
";

/// Leaves pictures of the screen, numbered from 1, until the program that was just started in the background ends.
///
/// The program is stopped for each, since it draws many frames in the time that copying one takes.
const WATCH: &str = "program=$!
number=1
while kill -STOP $program 2>/dev/null; do
    sleep 0.2
    cp /tmp/screen/Xvfb_screen0 screen-$number.xwd
    kill -CONT $program
    number=$((number + 1))
    sleep 0.5
done
wait $program
";

/// Runs glxgears through Zink until it says how fast it is, which takes it five seconds, and leaves a picture.
///
/// Zink takes a device of type CPU, as lavapipe's is, only if software is asked for; Xvfb has no DRI3.
const GEARS: &str = "export MESA_LOADER_DRIVER_OVERRIDE=zink GALLIUM_DRIVER=zink LIBGL_ALWAYS_SOFTWARE=1
export LIBGL_KOPPER_DRI2=1
stdbuf -oL glxgears -info >gears 2>&1 &
program=$!
until grep -q 'frames in' gears; do
    kill -0 $program || break
    sleep 0.3
done
kill -STOP $program
sleep 0.2
cp /tmp/screen/Xvfb_screen0 screen-1.xwd
kill -KILL $program
cat gears
grep -q 'frames in' gears
";

/// One of the programs that a window is drawn by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windowed {
    /// vkcube, with so many frames.
    Cube(u32),
    /// glxgears through Zink, until it knows how fast it is.
    Gears,
}

impl Windowed {
    /// The job.
    pub fn job(self) -> String {
        match self {
            Self::Cube(frames) => format!("{X_SERVER}vkcube --c {frames} --present_mode 0 &\n{WATCH}"),
            Self::Gears => format!("{X_SERVER}{GEARS}"),
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

/// The last picture in a job's folder on which there is a window: a program may live longer than its own.
fn window(folder: &Path) -> Option<Picture> {
    let files = (1..).map(|number| std::fs::read(folder.join(format!("screen-{number}.xwd"))).ok());
    let files: Vec<Vec<u8>> = files.map_while(|file| file).collect();
    files.iter().rev().find_map(|file| Picture::from_xwd(file).ok()?.window())
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
