//! The test suite as a WebAssembly module: the very checks of `tests/suite`, behind exports that
//! `tests/wasm.mjs` calls in Node. On other targets it is an empty library.
#![cfg(target_arch = "wasm32")]

#[path = "../tests/suite/mod.rs"]
mod suite;

use std::sync::Mutex;

use edgekit_kernels_simd::Kernels;

/// What the last panic said: a trap cannot carry it.
static MESSAGE: Mutex<String> = Mutex::new(String::new());

/// How many checks there are.
#[unsafe(no_mangle)]
pub extern "C" fn count() -> usize {
    std::panic::set_hook(Box::new(|info| set_message(info.to_string())));
    suite::CHECKS.len()
}

/// Makes the name of a check the message.
#[unsafe(no_mangle)]
pub extern "C" fn name(check: usize) {
    set_message(suite::CHECKS[check].0.into());
}

/// Makes the names of the tables that are tested the message.
#[unsafe(no_mangle)]
pub extern "C" fn tables() {
    let names: Vec<_> = Kernels::available().map(|kernels| kernels.isa().name()).collect();
    set_message(names.join(" "));
}

/// Runs a check, which traps if it fails.
#[unsafe(no_mangle)]
pub extern "C" fn run(check: usize) {
    suite::CHECKS[check].1();
}

/// Where the message is.
#[unsafe(no_mangle)]
pub extern "C" fn message() -> *const u8 {
    MESSAGE.lock().map_or(std::ptr::null(), |message| message.as_ptr())
}

/// How many bytes of UTF-8 it has.
#[unsafe(no_mangle)]
pub extern "C" fn message_len() -> usize {
    MESSAGE.lock().map_or(0, |message| message.len())
}

fn set_message(text: String) {
    if let Ok(mut message) = MESSAGE.lock() {
        *message = text;
    }
}
