//! Samples out of text, and batches out of streams.

use std::io::{BufReader, Read};

use edgekit_neural_net::{
    Csv, CsvSamples, Dataset, ErrorKind, FannSamples, Loader, LoaderConfig, Sample, Targets,
};
use proptest::prelude::*;

use crate::digits;

fn fann(text: &str) -> Result<Dataset, edgekit_neural_net::Error> {
    Dataset::collect(FannSamples::new(text.as_bytes())?)
}

fn csv(text: &str, targets: Targets) -> Result<Dataset, edgekit_neural_net::Error> {
    Dataset::collect(CsvSamples::new(text.as_bytes(), Csv { inputs: 2, targets, skip: 0 })?)
}

#[test]
fn libfanns_own_data_file_is_read() {
    let text = include_str!("fann/xor.data");
    let data = fann(text).unwrap();
    assert_eq!((data.len(), data.input_size(), data.target_size()), (4, 2, 1));
    assert_eq!(data.inputs(), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    assert_eq!(data.targets(), [0.0, 1.0, 1.0, 0.0]);
    assert_eq!(data.to_fann_data(), text);
}

#[test]
fn data_files_are_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits.data");
    digits().save(&path).unwrap();
    digits().save(&path).unwrap();
    assert_eq!(Dataset::load(&path).unwrap(), digits());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file is left");
    assert_eq!(Dataset::load(folder.path().join("none")).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(digits().save(folder.path().join("no/folder")).unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn csv_lines_become_samples() {
    let text = "1, 2 ,0\n\n3;4;2\r\n-5e-1,+6,1";
    let data = csv(text, Targets::Class(3)).unwrap();
    assert_eq!(data.inputs(), [1.0, 2.0, 3.0, 4.0, -0.5, 6.0]);
    assert_eq!(data.targets(), [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    assert_eq!(csv("1,2,3\n", Targets::Values(1)).unwrap().targets(), [3.0]);
    let skipping = Csv { inputs: 1, targets: Targets::Values(1), skip: 1 };
    let data = Dataset::collect(CsvSamples::new("x,y\n1,2\n".as_bytes(), skipping).unwrap());
    assert_eq!(data.unwrap().inputs(), [1.0]);
}

#[test]
fn damaged_text_is_a_typed_error_with_its_line() {
    for (text, kind, part) in [
        ("", ErrorKind::Format, "samples"),
        ("4 2", ErrorKind::Format, "targets"),
        ("1 0 1\n", ErrorKind::Format, "0 inputs"),
        ("1 99999999999 1\n", ErrorKind::Format, "99999999999 inputs"),
        ("-1 2 1\n", ErrorKind::Format, "-1"),
        ("2 1 1\n1\n1\n1\n", ErrorKind::Format, "in the middle"),
        ("1 1 1\nnan 1", ErrorKind::NotFinite, "line 2"),
        ("1 1 1\nx 1", ErrorKind::Format, "\"x\""),
        ("18446744073709551615 1 1\n1 1", ErrorKind::Format, "in the middle"),
    ] {
        let error = fann(text).unwrap_err();
        assert_eq!(error.kind(), kind, "{text:?}: {error}");
        assert!(error.to_string().contains(part), "{text:?}: {error}");
    }
    for (text, kind, part) in [
        ("", ErrorKind::Shape, "no samples"),
        ("1,2,0\n1,2\n", ErrorKind::Format, "line 2 has not 3 columns but 2"),
        ("1,2,0,9\n", ErrorKind::Format, "or more"),
        ("1,,0\n", ErrorKind::Format, "\"\""),
        ("1,2,3\n", ErrorKind::Format, "class of 0 to 2"),
        ("1,2,0.5\n", ErrorKind::Format, "class"),
        ("1,inf,0\n", ErrorKind::NotFinite, "line 1"),
    ] {
        let error = csv(text, Targets::Class(3)).unwrap_err();
        assert_eq!(error.kind(), kind, "{text:?}: {error}");
        assert!(error.to_string().contains(part), "{text:?}: {error}");
    }
    // An endless field ends at once.
    let endless = BufReader::new(std::io::repeat(b'7'));
    let one = Csv { inputs: 1, targets: Targets::Values(1), skip: 0 };
    let mut samples = CsvSamples::new(endless, one).unwrap();
    assert_eq!(samples.next().unwrap().unwrap_err().kind(), ErrorKind::Format);
    assert!(samples.next().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn data_survives_its_file(values in proptest::collection::vec(any::<f32>()
        .prop_filter("finite", |x| x.is_finite()), 3..60)) {
        let n = values.len() / 3;
        let data = Dataset::from_rows(&values[..2 * n], 2, &values[2 * n..3 * n], 1).unwrap();
        let again = fann(&data.to_fann_data()).unwrap();
        prop_assert_eq!(again, data);
    }

    #[test]
    fn any_bytes_are_samples_or_errors(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = FannSamples::new(&bytes[..]).map(|s| s.take(1000).count());
        let settings = Csv { inputs: 2, targets: Targets::Class(4), skip: 1 };
        let _ = CsvSamples::new(&bytes[..], settings).map(|s| s.take(1000).count());
    }
}

fn numbered(n: usize) -> impl Iterator<Item = Result<Sample, edgekit_neural_net::Error>> + Send {
    (0..n).map(|i| Ok(Sample { input: vec![i as f32], target: vec![0.0] }))
}

#[test]
fn loaders_deliver_every_sample_once_in_the_same_order_every_time() {
    let seeded = |ahead, window, seed| {
        let config = LoaderConfig { batch: 7, window, ahead, seed };
        let batches: Vec<Dataset> =
            Loader::new(numbered(100), config).unwrap().map(Result::unwrap).collect();
        assert_eq!(batches.len(), 15);
        assert_eq!(batches.iter().map(Dataset::len).max(), Some(7));
        batches.iter().flat_map(|b| b.inputs().to_vec()).collect::<Vec<f32>>()
    };
    let order = |ahead, window| seeded(ahead, window, 3);
    let straight: Vec<f32> = (0..100).map(|i| i as f32).collect();
    assert_eq!(order(0, 1), straight);
    for window in [10, 1000] {
        let shuffled = order(0, window);
        assert_ne!(shuffled, straight);
        assert_ne!(shuffled, seeded(0, window, 4));
        let mut sorted = shuffled.clone();
        sorted.sort_by(f32::total_cmp);
        assert_eq!(sorted, straight);
        // Nothing comes before it could have been seen.
        assert!(shuffled.iter().enumerate().all(|(at, i)| *i < (at + window) as f32));
        assert_eq!(order(1, window), shuffled);
        assert_eq!(order(4, window), shuffled);
    }
}

#[test]
fn what_goes_wrong_on_the_thread_is_heard_of() {
    let damaged = numbered(20).chain(fann("").err().map(Err));
    let config = LoaderConfig { batch: 4, window: 2, ahead: 2, seed: 0 };
    let all: Vec<_> = Loader::new(damaged, config).unwrap().collect();
    assert_eq!(all.len(), 5);
    assert_eq!(all.last().unwrap().as_ref().unwrap_err().kind(), ErrorKind::Format);
    let panicking = numbered(20).inspect(|sample| {
        let ninth = sample.as_ref().is_ok_and(|s| s.input[0] == 9.0);
        assert!(!ninth, "on purpose");
    });
    let all: Vec<_> = Loader::new(panicking, config).unwrap().collect();
    assert_eq!(all.last().unwrap().as_ref().unwrap_err().kind(), ErrorKind::Io);
    // A loader that is dropped early lets its thread go.
    let endless = BufReader::new(std::io::repeat(b'\n').chain(&b""[..]));
    let one = Csv { inputs: 1, targets: Targets::Values(1), skip: 0 };
    drop(Loader::new(CsvSamples::new(endless.take(1 << 20), one).unwrap(), config).unwrap());
    assert!(Loader::new(numbered(1), LoaderConfig { batch: 0, ..config }).is_err());
}

#[test]
fn the_digits_file_streams() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/digits/digits.csv");
    let file = BufReader::new(std::fs::File::open(path).unwrap());
    let settings = Csv { inputs: 64, targets: Targets::Class(10), skip: 0 };
    let data = Dataset::collect(CsvSamples::new(file, settings).unwrap()).unwrap();
    assert_eq!(data.targets(), digits().targets());
    assert!(data.inputs().iter().zip(digits().inputs()).all(|(a, b)| *a == 16.0 * b));
}
