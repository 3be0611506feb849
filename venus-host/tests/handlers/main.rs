//! Handlers without a GPU: every command once, and the life of objects, against a driver that notes its calls.

mod budget;
mod caches;
mod commands;
mod drivers;
mod families;
mod fences;
mod heaps;
mod holes;
mod large;
mod ledger;
mod levels;
mod lifetime;
mod memory;
mod nulls;
mod parts;
mod phantoms;
mod profiles;
mod reach;
mod refusals;
mod sparse;
mod statistics;
mod sync;
mod world;
