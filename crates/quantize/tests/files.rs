//! Files hold what was written, and nothing that is wrong with them goes unnoticed.

use edgekit_quantize::{ErrorKind, QuantizedTensor, from_safetensors, to_safetensors};

use crate::tensors::{formats, wave};

fn tensors() -> Vec<(String, QuantizedTensor)> {
    let shape = [3, 37];
    let make = |(i, format)| {
        (format!("layer{i:02}"), QuantizedTensor::quantize(&wave(111), &shape, format).unwrap())
    };
    formats(2).into_iter().enumerate().map(make).collect()
}

fn write(tensors: &[(String, QuantizedTensor)]) -> Vec<u8> {
    let named: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    to_safetensors(&named).unwrap()
}

#[test]
fn every_format_comes_back_as_it_was() {
    let tensors = tensors();
    assert_eq!(from_safetensors(&write(&tensors)).unwrap(), tensors);
    assert_eq!(from_safetensors(&write(&[])).unwrap(), []);
    assert_eq!(write(&tensors), write(&tensors), "the same tensors give the same bytes");
}

#[test]
fn no_truncation_and_no_flipped_header_bit_panics() {
    let bytes = write(&tensors()[..6]);
    for end in 0..bytes.len().min(4000) {
        assert_eq!(from_safetensors(&bytes[..end]).unwrap_err().kind(), ErrorKind::Format);
    }
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for at in 0..header {
        for bit in 0..8 {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << bit;
            // Some letters of a name may change; whatever is read must be consistent in itself.
            if let Ok(read) = from_safetensors(&altered) {
                for (_, tensor) in read {
                    assert_eq!(tensor.dequantize().len(), tensor.len());
                }
            }
        }
    }
}

#[test]
fn descriptions_that_do_not_fit_are_refused() {
    let tensors = tensors();
    let text = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let mut bytes = write(&tensors);
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        from_safetensors(&bytes).unwrap_err().kind()
    };
    assert_eq!(text("f16 shape=3x37", "f16 shape=3x38"), ErrorKind::Format);
    assert_eq!(text("group=64", "group=65"), ErrorKind::Format);
    assert_eq!(text("version 1", "version 2"), ErrorKind::Format);
    assert_eq!(text("edgekit.quantize", "edgekit.quantise"), ErrorKind::Format);
}

#[test]
fn names_that_would_clash_are_refused() {
    let tensor = &tensors()[0].1;
    for names in [vec![""], vec!["a.scales"], vec!["a.zero_points"], vec!["a", "a"], vec!["a\nb"]] {
        let named: Vec<_> = names.iter().map(|name| (*name, tensor)).collect();
        assert_eq!(to_safetensors(&named).unwrap_err().kind(), ErrorKind::Config, "{names:?}");
    }
}
