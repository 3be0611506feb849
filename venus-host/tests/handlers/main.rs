//! Handlers without a GPU: every command once, and the life of objects, against a driver that notes its calls.

mod commands;
mod content;
mod drivers;
mod lifetime;
#[path = "../mock/mod.rs"]
mod mock;
mod world;
