//! Any bytes as a model file: an error, or tensors that are as long as they say.
#![no_main]

use edgekit_mempool::{MappedFile, MmapModel};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = MmapModel::parse(MappedFile::from_bytes(bytes)) else { return };
    for name in model.names() {
        let tensor = model.tensor(&name).expect("a name that the model gave");
        let elements: usize = tensor.shape().iter().product();
        if let Ok(floats) = tensor.to_vec::<f32>() {
            assert_eq!(floats.len(), elements);
        }
    }
});
