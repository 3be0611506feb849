//! The sandbox of workers. A program of its own, which is its own worker: a worker begins with one thread.

#[cfg(all(target_os = "linux", feature = "sandbox"))]
mod others;
#[cfg(all(target_os = "linux", feature = "sandbox"))]
mod taken_over;

fn main() {
    #[cfg(all(target_os = "linux", feature = "sandbox"))]
    taken_over::run();
}
