//! Files: what is written comes back, mapped or read, and what is damaged is refused or harmless.
#![allow(unsafe_code, reason = "maps files that nobody else writes to")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::data::{Shape, fill, graph, vectors};
use edgekit_vector_index::{
    ErrorKind, FlatIndex, HnswConfig, HnswIndex, Index, Metric, Neighbor, Originals, Scratch,
    Storage, verify,
};
use tempfile::TempDir;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

const DIM: usize = 20;
const METRIC: Metric = Metric::L2Squared;

const KINDS: [Storage; 9] = [
    Storage::F32,
    Storage::F16,
    Storage::Bf16,
    Storage::Int8(Originals::None),
    Storage::Int8(Originals::F16),
    Storage::Int4(Originals::F16),
    Storage::Int4(Originals::F32),
    Storage::Binary(Originals::F16),
    Storage::Binary(Originals::None),
];

fn hnsw(metric: Metric, storage: Storage, n: usize) -> HnswIndex {
    let data = vectors(Shape::Gaussian, n, DIM, 31);
    let config = HnswConfig { metric, storage, m: 5, ef_construction: 30, ..HnswConfig::default() };
    let sample = vectors(Shape::Gaussian, 50, DIM, 31).concat();
    let mut index = HnswIndex::trained(DIM, config, &sample).unwrap();
    fill(&mut index, &data);
    for id in (0..n as u64).step_by(9) {
        index.remove(id).unwrap();
    }
    index
}

fn answers(index: &dyn Index) -> Vec<Vec<Neighbor>> {
    let mut scratch = Scratch::new();
    vectors(Shape::Gaussian, 30, DIM, 32)
        .iter()
        .map(|query| index.search(query, 5, &graph(20), &mut scratch).unwrap().to_vec())
        .collect()
}

/// SAFETY (of all uses): the files lie in a fresh temporary directory and are not written to while
/// they are mapped.
pub(crate) fn map(path: &Path) -> Result<HnswIndex, ErrorKind> {
    // SAFETY: see above.
    unsafe { HnswIndex::map(path) }.map_err(|error| error.kind())
}

pub(crate) fn place() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("index.ekv");
    (directory, path)
}

#[test]
fn what_is_saved_comes_back_read_or_mapped() {
    for metric in [Metric::Cosine, Metric::InnerProduct, Metric::L2Squared] {
        for storage in KINDS {
            let (directory, path) = place();
            let index = hnsw(metric, storage, 150);
            index.validate().unwrap();
            index.save(&path).unwrap();
            verify(&path).unwrap();
            let mut written = Vec::new();
            index.write_to(&mut written).unwrap();
            assert_eq!(written, std::fs::read(&path).unwrap());
            let mut read = HnswIndex::read(&path).unwrap();
            let mapped = map(&path).unwrap();
            // SAFETY: see `map`.
            let mut in_part = unsafe { HnswIndex::map_originals(&path) }.unwrap();
            assert_eq!(index.config(), read.config());
            for other in [&read, &mapped, &in_part] {
                assert_eq!(answers(&index), answers(other), "{storage:?}");
                assert_eq!(index.len(), other.len());
                assert_eq!(index.vector(100), other.vector(100));
                assert!(!other.contains(9));
            }
            let (bytes, all) = (in_part.memory_bytes(), read.memory_bytes());
            let refused = in_part.optimize().is_err();
            assert_eq!(in_part.insert(5_555, &[0.5; DIM]).is_err(), refused);
            let keeps_originals = matches!(
                storage,
                Storage::Int8(Originals::F16 | Originals::F32)
                    | Storage::Int4(Originals::F16 | Originals::F32)
                    | Storage::Binary(Originals::F16)
            );
            assert_eq!((refused, bytes < all), (keeps_originals, keeps_originals), "{storage:?}");
            // The one that was read goes on as if it had never been written.
            let mut original = index;
            for (id, vector) in vectors(Shape::Uniform, 40, DIM, 33).iter().enumerate() {
                original.insert(1_000 + id as u64, vector).unwrap();
                read.insert(1_000 + id as u64, vector).unwrap();
            }
            assert_eq!(answers(&original), answers(&read));
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left");
        }
    }
}

#[test]
fn flat_indexes_and_empty_ones_come_back_too() {
    let (_directory, path) = place();
    let data = vectors(Shape::Gaussian, 70, DIM, 34);
    for storage in KINDS {
        let mut flat = FlatIndex::trained(DIM, Metric::Cosine, storage, &data.concat()).unwrap();
        for rows in [&[][..], &data] {
            fill(&mut flat, rows);
            flat.remove(3).unwrap();
            flat.save(&path).unwrap();
            verify(&path).unwrap();
            let mut written = Vec::new();
            flat.write_to(&mut written).unwrap();
            assert_eq!(written, std::fs::read(&path).unwrap());
            let read = FlatIndex::read(&path).unwrap();
            // SAFETY: see `map`.
            let mapped = unsafe { FlatIndex::map(&path) }.unwrap();
            assert_eq!(answers(&flat), answers(&read));
            assert_eq!(answers(&flat), answers(&mapped));
            // SAFETY: see `map`.
            let in_part = unsafe { FlatIndex::map_originals(&path) }.unwrap();
            assert_eq!(answers(&flat), answers(&in_part));
        }
        assert_eq!(HnswIndex::read(&path).unwrap_err().kind(), ErrorKind::Format);
    }
    hnsw(Metric::Cosine, Storage::F32, 0).save(&path).unwrap();
    assert!(HnswIndex::read(&path).unwrap().is_empty() && map(&path).unwrap().is_empty());
    assert_eq!(FlatIndex::read(&path).unwrap_err().kind(), ErrorKind::Format);
}

#[test]
fn a_mapped_index_is_read_only_and_outlives_a_replacement() {
    let (_directory, path) = place();
    hnsw(Metric::Cosine, Storage::F32, 60).save(&path).unwrap();
    let mut mapped = map(&path).unwrap();
    let before = answers(&mapped);
    let kind = |result: Result<(), edgekit_vector_index::Error>| result.unwrap_err().kind();
    assert_eq!(kind(mapped.insert(999, &[1.0; DIM])), ErrorKind::ReadOnly);
    assert_eq!(kind(mapped.upsert(1, &[1.0; DIM])), ErrorKind::ReadOnly);
    assert_eq!(kind(mapped.remove(1).map(|_| ())), ErrorKind::ReadOnly);
    mapped.reserve(100);
    mapped.shrink_to_fit();
    hnsw(Metric::L2Squared, Storage::F16, 90).save(&path).unwrap();
    assert_eq!(answers(&mapped), before);
    assert!(mapped.memory_bytes() < 60 * 40, "{} bytes on the heap", mapped.memory_bytes());
}

/// Whoever opens the path meanwhile finds one of the files, whole.
#[test]
fn many_threads_may_save_to_one_path() {
    let (directory, path) = place();
    let indexes: Vec<_> = (60..66).map(|n| hnsw(Metric::Cosine, Storage::F32, n)).collect();
    let whole: Vec<Vec<u8>> = indexes
        .iter()
        .map(|index| {
            let mut bytes = Vec::new();
            index.write_to(&mut bytes).unwrap();
            bytes
        })
        .collect();
    indexes[0].save(&path).unwrap();
    let (path, whole, saving) = (&path, &whole, &AtomicUsize::new(indexes.len()));
    std::thread::scope(|scope| {
        for index in &indexes {
            scope.spawn(move || {
                let saved = (0..30).try_for_each(|_| index.save(path));
                saving.fetch_sub(1, SeqCst);
                saved.unwrap();
            });
        }
        while saving.load(SeqCst) > 0 {
            let found = std::fs::read(path).unwrap();
            assert!(whole.contains(&found), "{} bytes that nobody saved", found.len());
        }
    });
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left");
    // What cannot be moved into place is taken away again.
    let taken = directory.path().join("directory");
    std::fs::create_dir_all(taken.join("full")).unwrap();
    assert_eq!(indexes[0].save(&taken).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "nothing is left");
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let (_directory, path) = place();
    hnsw(Metric::L2Squared, Storage::Int8(Originals::F16), 40).save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for len in 0..whole.len() {
        let error = HnswIndex::from_bytes(whole[..len].to_vec()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{len}: {error}");
    }
    // From the end, so that the file need not be written again.
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    for len in (0..whole.len()).rev() {
        file.set_len(len as u64).unwrap();
        let kinds = [map(&path).err(), HnswIndex::read(&path).err().map(|error| error.kind())];
        assert_eq!(kinds[1], Some(ErrorKind::Format), "{len}");
        // Nothing at all cannot be mapped on some systems.
        assert!(kinds[0] == kinds[1] || len == 0 && kinds[0].is_some(), "{len}: {kinds:?}");
    }
    let longer = [&whole[..], &[0]].concat();
    std::fs::write(&path, &longer).unwrap();
    assert_eq!(HnswIndex::read(&path).unwrap_err().kind(), ErrorKind::Format);
    assert_eq!(HnswIndex::from_bytes(longer).unwrap_err().kind(), ErrorKind::Format);
    assert_eq!(HnswIndex::read(path.with_extension("no")).unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn every_flipped_bit_is_noticed_or_harmless() {
    for storage in [Storage::Int4(Originals::F32), Storage::Binary(Originals::None)] {
        let (_directory, path) = place();
        let config = HnswConfig { metric: METRIC, m: 2, storage, ..HnswConfig::default() };
        let data = vectors(Shape::Gaussian, 9, 3, 35);
        let mut index = HnswIndex::trained(3, config, &data.concat()).unwrap();
        fill(&mut index, &data);
        index.remove(4).unwrap();
        index.save(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut scratch = Scratch::new();
        let mut answers = |index: &HnswIndex| -> Vec<Vec<Neighbor>> {
            let mut near =
                |query| index.search(query, 4, &graph(6), &mut scratch).unwrap().to_vec();
            data.iter().take(3).map(|query| near(query)).collect()
        };
        let right = answers(&HnswIndex::from_bytes(whole.clone()).unwrap());
        for bit in 0..8 * whole.len() {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // Not over the old one, which may be mapped still.
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(index) = map(&path) {
                answers(&index);
                // The rest takes long: of some.
                if bit % 11 == 0 {
                    ask_everything(&index);
                }
            }
            if let Ok(index) = HnswIndex::from_bytes(bytes) {
                // Only the padding between sections is under no checksum.
                assert_eq!(answers(&index), right, "bit {bit}");
            }
        }
    }
}

/// A file whose checksums are right, whatever else is not.
struct Forged(Vec<u8>);

impl Forged {
    fn new(storage: Storage) -> Self {
        let (_directory, path) = place();
        hnsw(Metric::L2Squared, storage, 40).save(&path).unwrap();
        Forged(std::fs::read(&path).unwrap())
    }

    fn line(&self, tag: u32) -> usize {
        let lines = u32::from_le_bytes(self.0[20..24].try_into().unwrap()) as usize;
        let tag = tag.to_le_bytes();
        (0..lines).map(|i| 128 + 32 * i).find(|&at| self.0[at..at + 4] == tag).unwrap()
    }

    fn number(&self, at: usize) -> usize {
        u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap()) as usize
    }

    /// Writes into a section.
    fn section(mut self, tag: u32, at: usize, value: &[u8]) -> Self {
        let line = self.line(tag);
        let (start, len) = (self.number(line + 8), self.number(line + 16));
        self.0[start + at..start + at + value.len()].copy_from_slice(value);
        let sum = xxh3_64(&self.0[start..start + len]);
        self.0[line + 24..line + 32].copy_from_slice(&sum.to_le_bytes());
        self
    }

    /// Writes into the header or the table.
    fn header(mut self, at: usize, value: &[u8]) -> Self {
        self.0[at..at + value.len()].copy_from_slice(value);
        self
    }

    fn sealed(mut self) -> Vec<u8> {
        let lines = u32::from_le_bytes(self.0[20..24].try_into().unwrap()) as usize;
        let mut hash = Xxh3::new();
        hash.update(&self.0[..120]);
        hash.update(&self.0[128..(128 + 32 * lines).min(self.0.len())]);
        let sum = hash.digest();
        self.0[120..128].copy_from_slice(&sum.to_le_bytes());
        self.0
    }
}

const SQUARES: u32 = 2;
const STEPS: u32 = 4;
const ORIGINALS: u32 = 5;
const NORMS: u32 = 6;
const IDS: u32 = 7;
const BASE: u32 = 9;
const UPPER: u32 = 10;
const UPPER_START: u32 = 11;
const LEVELS: u32 = 12;
const PARENTS: u32 = 13;

/// All that can be asked of an index of which nothing but the header is known to be right.
fn ask_everything(index: &HnswIndex) {
    index.vector(5);
    index.contains(7);
    let (query, mut scratch) = (vec![0.1; index.dim()], Scratch::new());
    for ef in [1, 9, 40] {
        for one_in in [1, 2, 5, 100] {
            let passes = |id: u64| id.is_multiple_of(one_in);
            index.search_filtered(&query, 5, &graph(ef), &passes, &mut scratch).unwrap();
        }
        index.search_range(&query, 9.0, &graph(ef), &mut scratch).unwrap();
        index.search_many(&query.repeat(20), 5, &graph(ef), &mut scratch).unwrap();
    }
    index.recall(&query, 3, &graph(9)).unwrap();
    index.autotune(&query, 3, 0.9, std::time::Duration::default).unwrap();
    index.stats();
    // It may be valid as far as links go.
    let _ = index.validate();
}

#[test]
fn hostile_files_with_right_checksums_are_refused_when_read_and_harmless_when_mapped() {
    let forged = || Forged::new(Storage::Int8(Originals::F16));
    let table = |tag, at| forged().line(tag) + at;
    let levels = forged().number(forged().line(LEVELS) + 8);
    let low = (1..9_u32).find(|&node| forged().0[levels + node as usize] == 0).unwrap();
    let low = low.to_le_bytes();
    let entry = u32::from_le_bytes(forged().0[44..48].try_into().unwrap()) as usize;
    // A row is ten links wide; the last number that is no end of a row.
    let nowhere = [0xfe, 0xff, 0xff, 0xff].repeat(10);
    // The table is followed by room for one line more.
    let ids = forged().0[table(IDS, 0)..table(IDS, 32)].to_vec();
    let cases = [
        ("huge count", forged().header(24, &u64::MAX.to_le_bytes())),
        ("large count", forged().header(24, &(1_u64 << 31).to_le_bytes())),
        ("another count", forged().header(24, &39_u64.to_le_bytes())),
        ("no dimensions", forged().header(16, &0_u32.to_le_bytes())),
        ("huge dimension", forged().header(16, &u32::MAX.to_le_bytes())),
        ("unknown metric", forged().header(13, &[9])),
        ("unknown storage", forged().header(14, &[9])),
        ("other storage", forged().header(14, &[0])),
        ("unknown originals", forged().header(15, &[9])),
        ("unknown version", forged().header(8, &2_u32.to_le_bytes())),
        ("not an index", forged().header(0, b"ELF")),
        ("a flat index", forged().header(12, &[1])),
        ("m of 0", forged().header(32, &0_u32.to_le_bytes())),
        ("huge m", forged().header(32, &u32::MAX.to_le_bytes())),
        ("NaN alpha", forged().header(40, &f32::NAN.to_le_bytes())),
        ("entry beyond the end", forged().header(44, &40_u32.to_le_bytes())),
        ("entry removed", forged().header(44, &0_u32.to_le_bytes())),
        ("entry below others", forged().header(44, &low)),
        (
            "section twice",
            forged().header(20, &14_u32.to_le_bytes()).header(table(PARENTS, 32), &ids),
        ),
        ("no entry", forged().header(44, &u32::MAX.to_le_bytes())),
        ("endless norm", forged().header(56, &f32::INFINITY.to_le_bytes())),
        ("section beyond the end", forged().header(table(IDS, 8), &(1_u64 << 40).to_le_bytes())),
        ("section that wraps", forged().header(table(IDS, 16), &u64::MAX.to_le_bytes())),
        ("section off its line", forged().header(table(IDS, 8), &136_u64.to_le_bytes())),
        ("section missing", forged().header(table(IDS, 0), &99_u32.to_le_bytes())),
        ("negative step", forged().section(STEPS, 0, &(-1.0_f32).to_le_bytes())),
        ("NaN step", forged().section(STEPS, 0, &f32::NAN.to_le_bytes())),
        ("NaN in an original", forged().section(ORIGINALS, 64, &[0xff; 2])),
        ("endless square", forged().section(SQUARES, 4, &f32::INFINITY.to_le_bytes())),
        ("length of NaN", forged().section(NORMS, 4, &f32::NAN.to_le_bytes())),
        ("negative length", forged().section(NORMS, 4, &(-1.0_f32).to_le_bytes())),
        ("length beyond the longest", forged().section(NORMS, 4, &1e9_f32.to_le_bytes())),
        ("two equal ids", forged().section(IDS, 8, &2_u64.to_le_bytes())),
        ("link beyond the end", forged().section(BASE, 40, &40_u32.to_le_bytes())),
        ("link far beyond", forged().section(BASE, 40, &(u32::MAX - 1).to_le_bytes())),
        ("all links of the entry far beyond", forged().section(BASE, entry * 40, &nowhere)),
        ("all links far beyond", forged().section(BASE, 0, &nowhere.repeat(40))),
        ("all upper links far beyond", {
            let forged = forged();
            let len = forged.number(forged.line(UPPER) + 16);
            forged.section(UPPER, 0, &nowhere.repeat(len)[..len])
        }),
        ("all parents far beyond", forged().section(PARENTS, 0, &nowhere[..4].repeat(40))),
        ("link to itself", forged().section(BASE, 40, &1_u32.to_le_bytes())),
        ("no links", forged().section(BASE, 40, &[0xff; 4])),
        ("link behind the last", forged().section(BASE, 72, &[255, 255, 255, 255, 2, 0, 0, 0])),
        ("links of a removed node", forged().section(BASE, 0, &[1, 0, 0, 0])),
        ("link to a node of a lower layer", forged().section(UPPER, 0, &low)),
        ("levels without rows", forged().section(LEVELS, 1, &[200])),
        ("layer without rows", forged().section(LEVELS, 1, &[16])),
        ("rows beyond the end", forged().section(UPPER_START, 0, &[0xff; 160])),
        ("own parent", forged().section(PARENTS, 4, &1_u32.to_le_bytes())),
        ("parent beyond the end", forged().section(PARENTS, 8, &77_u32.to_le_bytes())),
        ("second root", forged().section(PARENTS, 8, &[0xff; 4])),
        ("cycle of parents", forged().section(PARENTS, 0, &[2, 0, 0, 0].repeat(40))),
    ];
    let (_directory, path) = place();
    for (what, forged) in cases {
        let bytes = forged.sealed();
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(index) = map(&path) {
            answers(&index);
            ask_everything(&index);
        }
        match HnswIndex::from_bytes(bytes) {
            Ok(_) => panic!("{what} was read"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Format, "{what}: {error}"),
        }
    }
}

#[test]
fn an_upper_layer_leads_to_no_removed_vector() {
    let data = vectors(Shape::Gaussian, 300, 4, 36);
    let config = HnswConfig { metric: METRIC, m: 2, ef_construction: 30, ..HnswConfig::default() };
    let mut index = HnswIndex::new(4, config).unwrap();
    fill(&mut index, &data);
    for id in (0..300).step_by(2) {
        index.remove(id).unwrap();
        index.validate().unwrap();
    }
    let mut bytes = Vec::new();
    index.write_to(&mut bytes).unwrap();
    let whole = HnswIndex::from_bytes(bytes.clone()).unwrap();
    let forged = Forged(bytes);
    let start = |tag| forged.number(forged.line(tag) + 8);
    let (levels, starts) = (start(LEVELS), start(UPPER_START));
    let high = |slot: &usize| forged.0[levels + slot] > 0;
    let removed = (0..300).step_by(2).find(high).unwrap() as u32;
    let other = (1..300).step_by(2).find(high).unwrap();
    let place = starts + 4 * other;
    let row = u32::from_le_bytes(forged.0[place..place + 4].try_into().unwrap()) as usize;
    let bytes = forged.section(UPPER, row * 2 * 4, &removed.to_le_bytes()).sealed();
    let error = HnswIndex::from_bytes(bytes).unwrap_err();
    assert_eq!((whole.len(), error.kind()), (150, ErrorKind::Format));
    assert!(error.to_string().contains("which is removed"), "{error}");
}
