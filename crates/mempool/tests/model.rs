//! Model files: written, mapped, read, and torn apart.
#![allow(unsafe_code, reason = "maps files that nobody else has")]

use std::path::PathBuf;

use edgekit_mempool::{
    Advice, Dtype, Error, ErrorKind, MapOptions, MappedFile, MmapModel, Prefault, TensorData,
    save_model,
};
use half::{bf16, f16};
use proptest::prelude::*;

fn sample(dir: &tempfile::TempDir) -> PathBuf {
    let path = dir.path().join("sample.safetensors");
    let weights: Vec<f32> = (0..12).map(|i| i as f32 / 8.0).collect();
    let halves = [f16::from_f32(0.5), f16::from_f32(-2.0)];
    let brains = [bf16::from_f32(1.5)];
    let tensors = [
        ("w", TensorData::new(&[3, 4], &weights).unwrap()),
        ("codes", TensorData::new(&[5], &[-1_i8, 2, -3, 4, -5]).unwrap()),
        ("half", TensorData::new(&[2, 1], &halves).unwrap()),
        ("scalar", TensorData::new(&[], &[7_i64]).unwrap()),
        ("brain", TensorData::new(&[1], &brains).unwrap()),
        ("empty", TensorData::new::<f64>(&[0, 9], &[]).unwrap()),
    ];
    save_model(&path, &tensors, &[("format", "edgekit"), ("épreuve", "ok")]).unwrap();
    path
}

/// A file with that header and that many bytes of data.
fn file(header: &str, data: usize) -> Result<MmapModel, Error> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    MmapModel::parse(MappedFile::from_bytes(&bytes))
}

#[test]
fn what_was_saved_is_mapped_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = sample(&dir);
    for prefault in [Prefault::OnTouch, Prefault::OnOpen] {
        for advice in [Advice::Normal, Advice::Random, Advice::Sequential, Advice::WillNeed] {
            // SAFETY: the file is ours, in a directory of our own.
            let model = unsafe { MmapModel::open(&path, MapOptions { advice, prefault }) }.unwrap();
            check(&model);
            model.file().advise(Advice::Random).unwrap();
        }
    }
    check(&MmapModel::read(&path).unwrap());
}

fn check(model: &MmapModel) {
    assert_eq!(model.len(), 6);
    let w = model.tensor("w").unwrap();
    assert_eq!((w.dtype(), w.shape()), (Dtype::F32, &[3, 4][..]));
    assert_eq!(w.as_slice::<f32>().unwrap()[11], 11.0 / 8.0);
    assert_eq!(w.to_vec::<f32>().unwrap(), w.as_slice::<f32>().unwrap());
    assert_eq!(model.tensor("codes").unwrap().as_slice::<i8>().unwrap(), [-1, 2, -3, 4, -5]);
    assert_eq!(model.tensor("half").unwrap().as_slice::<f16>().unwrap()[1].to_f32(), -2.0);
    assert_eq!(model.tensor("brain").unwrap().as_slice::<bf16>().unwrap()[0].to_f32(), 1.5);
    assert_eq!(model.tensor("scalar").unwrap().as_slice::<i64>().unwrap(), [7]);
    assert_eq!(model.tensor("scalar").unwrap().shape(), &[] as &[usize]);
    assert!(model.tensor("empty").unwrap().as_slice::<f64>().unwrap().is_empty());
    assert_eq!(w.as_slice::<i32>().unwrap_err().kind(), ErrorKind::WrongType);
    assert_eq!(model.tensor("v").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(model.metadata("épreuve"), Some("ok"));
    assert_eq!(model.metadata("nothing"), None);
    let mut names = model.names();
    names.sort();
    assert_eq!(names, ["brain", "codes", "empty", "half", "scalar", "w"]);
}

#[test]
fn every_truncation_and_extension_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = sample(&dir);
    let whole = std::fs::read(&path).unwrap();
    for len in 0..whole.len() {
        let cut = MmapModel::parse(MappedFile::from_bytes(&whole[..len]));
        assert_eq!(cut.unwrap_err().kind(), ErrorKind::Malformed, "{len} of {}", whole.len());
    }
    let longer = [&whole[..], &[0]].concat();
    assert!(MmapModel::parse(MappedFile::from_bytes(&longer)).is_err());
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    // SAFETY: the file is ours, in a directory of our own.
    let cut = unsafe { MmapModel::open(&path, MapOptions::default()) };
    assert_eq!(cut.unwrap_err().kind(), ErrorKind::Malformed);
}

#[test]
fn hostile_headers_are_errors() {
    for (what, header, data) in [
        ("an end before its start", r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}}"#, 4),
        ("beyond the file", r#"{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}"#, 4),
        ("less than the shape", r#"{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,4]}}"#, 4),
        ("a gap", r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#, 4),
        ("not covered", r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#, 4),
        (
            "an overlap",
            r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},
                "b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#,
            4,
        ),
        (
            "a product that overflows to 0",
            r#"{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#,
            0,
        ),
        (
            "an end that overflows a sum",
            r#"{"a":{"dtype":"U8","shape":[18446744073709551615],
                "data_offsets":[0,18446744073709551615]}}"#,
            4,
        ),
        ("a negative offset", r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[-4,0]}}"#, 4),
        ("an unknown type", r#"{"a":{"dtype":"F128","shape":[],"data_offsets":[0,4]}}"#, 4),
        ("not JSON", "{", 4),
        ("not an object", "[]", 0),
        ("too deep", &"[".repeat(100_000), 0),
    ] {
        assert_eq!(file(header, data).unwrap_err().kind(), ErrorKind::Malformed, "{what}");
    }
    assert!(file("{}", 0).unwrap().is_empty());
    let long = u64::MAX.to_le_bytes();
    let error = MmapModel::parse(MappedFile::from_bytes(&long)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
}

#[test]
fn a_misaligned_tensor_is_copied_but_not_lent() {
    let header = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} "#;
    assert_eq!((8 + header.len()) % 4, 3);
    let model = file(header, 4).unwrap();
    let tensor = model.tensor("a").unwrap();
    assert_eq!(tensor.as_slice::<f32>().unwrap_err().kind(), ErrorKind::Misaligned);
    assert_eq!(tensor.to_vec::<f32>().unwrap(), [0.0]);
}

#[test]
fn raw_views_are_bounds_checked() {
    let bytes: Vec<u8> = (0..16).collect();
    let file = MappedFile::from_bytes(&bytes);
    assert_eq!(file.view::<u32>(4, 2).unwrap()[0], u32::from_ne_bytes([4, 5, 6, 7]));
    assert_eq!(file.view::<u8>(16, 0).unwrap(), [0; 0]);
    for (offset, count) in [(0, 5), (16, 1), (usize::MAX, 1), (0, usize::MAX), (4, usize::MAX / 4)]
    {
        assert_eq!(file.view::<u32>(offset, count).unwrap_err().kind(), ErrorKind::OutOfBounds);
    }
    assert_eq!(file.view::<u32>(2, 1).unwrap_err().kind(), ErrorKind::Misaligned);
    assert_eq!(file.bytes().as_ptr() as usize % 64, 0);
}

#[test]
fn saving_replaces_the_file_and_not_what_is_mapped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m");
    save_model(&path, &[("a", TensorData::new(&[1], &[1_u8]).unwrap())], &[]).unwrap();
    // SAFETY: the file is ours; it is replaced below, which is allowed, and not changed.
    let old = unsafe { MmapModel::open(&path, MapOptions::default()) }.unwrap();
    save_model(&path, &[("a", TensorData::new(&[1], &[2_u8]).unwrap())], &[]).unwrap();
    let new = MmapModel::read(&path).unwrap();
    assert_eq!(old.tensor("a").unwrap().bytes(), [1]);
    assert_eq!(new.tensor("a").unwrap().bytes(), [2]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn what_cannot_be_saved_is_an_error_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let one = TensorData::new(&[1], &[1_u8]).unwrap();
    for names in [["a", "a"], ["__metadata__", "b"]] {
        let twice = names.map(|name| (name, one));
        let error = save_model(dir.path().join("m"), &twice, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    }
    let nowhere = dir.path().join("missing").join("m");
    assert_eq!(save_model(nowhere, &[("a", one)], &[]).unwrap_err().kind(), ErrorKind::Io);
    let onto_a_directory = dir.path().join("d");
    std::fs::create_dir(&onto_a_directory).unwrap();
    assert!(save_model(&onto_a_directory, &[("a", one)], &[]).is_err());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let shape = TensorData::new(&[2, 2], &[1.0_f32; 3]).unwrap_err();
    assert_eq!(shape.kind(), ErrorKind::InvalidGeometry);
    assert!(TensorData::new(&[usize::MAX, 2], &[1.0_f32; 3]).is_err());
}

#[test]
fn a_file_that_is_not_there_is_an_io_error_that_names_it() {
    let error = MmapModel::read("/nowhere/m").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("/nowhere/m"), "{error}");
    // SAFETY: there is no file to be changed.
    let error = unsafe { MappedFile::open("/nowhere/m", MapOptions::default()) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}

proptest! {
    #[test]
    fn floats_survive_the_round_trip_bit_by_bit(
        bits in prop::collection::vec(any::<u32>(), 0..50),
        name in "[^\u{0}]{1,12}",
    ) {
        prop_assume!(name != "__metadata__");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let floats: Vec<f32> = bits.iter().map(|&b| f32::from_bits(b)).collect();
        let shape = [floats.len()];
        save_model(&path, &[(&name, TensorData::new(&shape, &floats).unwrap())], &[]).unwrap();
        let model = MmapModel::read(&path).unwrap();
        let back = model.tensor(&name).unwrap().to_vec::<f32>().unwrap();
        prop_assert_eq!(back.iter().map(|f| f.to_bits()).collect::<Vec<_>>(), bits);
    }

    /// Whatever bytes come, opening ends with a model whose tensors can be read, or an error.
    #[test]
    fn damaged_files_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = std::fs::read(sample(&dir)).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(model) = MmapModel::parse(MappedFile::from_bytes(&bytes)) {
            for name in model.names() {
                let tensor = model.tensor(&name).unwrap();
                let elements: usize = tensor.shape().iter().product();
                prop_assert!(elements <= tensor.bytes().len() * 2);
            }
        }
    }
}
