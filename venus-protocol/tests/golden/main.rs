//! Golden bytes: requests that the reference host accepts, and worked examples field by field.
//!
//! * `requests.tsv` holds a request of every other command, with every pointer present and every chain node attached.
//! * The modules are the worked examples of the protocol's description: written down line by line, decoded and
//!   compared field by field, and encoded again from values built by hand.

mod bytes;
mod command;
mod descriptor;
mod device;
mod instance;
mod physical_device;
mod queue;
mod requests;
mod transport;
