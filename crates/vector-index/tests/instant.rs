//! Graphs that another crate built, behind the same interface.

use instant_distance::{Builder, HnswMap};

use crate::data::{Shape, brute_force, graph, vectors};
use edgekit_vector_index::{ErrorKind, Index, InstantIndex, Metric, Scratch};

#[derive(Clone)]
struct Point(Vec<f32>);

impl instant_distance::Point for Point {
    fn distance(&self, other: &Self) -> f32 {
        self.0.iter().zip(&other.0).map(|(a, b)| (a - b) * (a - b)).sum()
    }
}

impl AsRef<[f32]> for Point {
    fn as_ref(&self) -> &[f32] {
        &self.0
    }
}

impl From<&[f32]> for Point {
    fn from(values: &[f32]) -> Self {
        Point(values.to_vec())
    }
}

fn map(data: &[Vec<f32>]) -> HnswMap<Point, u64> {
    let points = data.iter().cloned().map(Point).collect();
    let ids = (0..data.len() as u64).map(|id| id + 100).collect();
    Builder::default().seed(5).ef_search(60).build(points, ids)
}

#[test]
fn it_answers_as_an_index() {
    let all = vectors(Shape::Clustered, 640, 12, 71);
    let (data, queries) = all.split_at(600);
    let metric = Metric::L2Squared;
    let mut index = InstantIndex::new(map(data), 12, metric).unwrap();
    assert_eq!((index.len(), index.dim(), index.is_empty()), (600, 12, false));
    let mut scratch = Scratch::new();
    let (mut found, mut wanted) = (0, 0);
    for query in queries {
        for k in [10, 200, 700] {
            let truth = brute_force(metric, data, query, k);
            let near = index.search(query, k, &graph(1), &mut scratch).unwrap();
            assert!(
                near.len() == truth.len() && near.is_sorted_by(|a, b| a.distance <= b.distance)
            );
            let bound = truth.last().unwrap() * 1.00001;
            found += near.iter().filter(|n| f64::from(n.distance) <= bound).count();
            wanted += truth.len();
        }
        let few = |id: u64| id.is_multiple_of(50);
        let near = index.search_filtered(query, 5, &graph(1), &few, &mut scratch).unwrap();
        assert!(near.len() == 5 && near.iter().all(|n| few(n.id)));
        let radius = near[4].distance;
        let within = index.search_range(query, radius, &graph(1), &mut scratch).unwrap();
        assert!(within.len() >= 5 && within.iter().all(|n| n.distance <= radius));
    }
    assert!(found * 100 >= wanted * 97, "{found} of {wanted}");
    assert_eq!(index.vector(107).unwrap(), data[7]);
    assert!(index.contains(699) && !index.contains(99) && index.vector(99).is_none());
    for refused in
        [index.insert(1, &data[0]), index.upsert(1, &data[0]), index.remove(100).map(|_| ())]
    {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ReadOnly);
    }
    let kind = index.search(&[f32::NAN; 12], 1, &graph(1), &mut scratch).unwrap_err().kind();
    assert_eq!(kind, ErrorKind::NotFinite);
}

#[test]
fn a_map_that_is_none_of_ours_is_refused() {
    let data = vectors(Shape::Uniform, 20, 4, 72);
    let kind = |map, dim| InstantIndex::new(map, dim, Metric::Cosine).unwrap_err().kind();
    assert_eq!(kind(map(&data), 5), ErrorKind::Dimension);
    assert_eq!(kind(map(&data), 0), ErrorKind::Config);
    let mut twice = map(&data);
    twice.values[3] = twice.values[4];
    assert_eq!(kind(twice, 4), ErrorKind::DuplicateId);
    let mut short = map(&data);
    short.values.pop();
    assert_eq!(kind(short, 4), ErrorKind::Format);
    let mut broken = data.clone();
    broken[0][0] = f32::INFINITY;
    assert_eq!(kind(map(&broken), 4), ErrorKind::NotFinite);
    let empty = InstantIndex::new(map(&[]), 4, Metric::Cosine).unwrap();
    assert!(empty.search(&[1.0; 4], 3, &graph(1), &mut Scratch::new()).unwrap().is_empty());
}
