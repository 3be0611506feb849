//! A device with contexts, whoever serves them: what a virtual machine monitor does, on the driver of `tests/mock-driver`.

mod ahead;
mod death;
mod hostile;
mod isolations;
mod machine;
mod memory;
#[cfg(target_os = "linux")]
mod surroundings;
mod worker;
