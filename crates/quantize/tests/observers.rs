//! Every calibration on data that is not symmetric about zero.

use edgekit_quantize::{Affine, Calibration, Observer, Scheme};

use crate::tensors::SCHEMES;

const ALL: [Calibration; 5] = [
    Calibration::MinMax,
    Calibration::MovingAverage { weight: 0.1 },
    Calibration::Percentile { tail: 0.01 },
    Calibration::Mse,
    Calibration::KullbackLeibler,
];

fn unit(n: usize) -> impl Iterator<Item = f32> + Clone {
    // A shuffled grid: each batch is like the whole.
    (0..n).map(move |i| ((i * 7_919 % n) as f32 + 0.5) / n as f32)
}

/// Named data of 10,007 values.
fn data() -> Vec<(&'static str, Vec<f32>)> {
    let u = unit(10_007);
    vec![
        ("both signs", u.clone().map(|u| 2.0 * u - 1.0).collect()),
        ("one-sided", u.clone().map(|u| 6.0 * u).collect()),
        ("negative", u.clone().map(|u| -3.0 * u).collect()),
        ("shifted up", u.clone().map(|u| 100.0 + u).collect()),
        ("shifted down", u.clone().map(|u| -1.0 - 100.0 - u).collect()),
        ("skewed", u.clone().map(|u| -(1.0 - u).ln()).collect()),
        ("skewed down", u.clone().map(|u| 2.0 * (1.0 - u).ln() + 0.3).collect()),
    ]
}

fn learn(calibration: Calibration, values: &[f32], scheme: Scheme) -> Affine {
    let mut observer = Observer::new(calibration).unwrap();
    values.chunks(500).for_each(|batch| observer.observe(batch).unwrap());
    observer.affine(scheme).unwrap()
}

fn error(map: Affine, values: &[f32]) -> f64 {
    let (mut codes, mut back) = (vec![0; values.len()], vec![0.0; values.len()]);
    map.quantize(values, &mut codes);
    map.dequantize(&codes, &mut back);
    let square = |(x, y): (&f32, &f32)| f64::from(x - y).powi(2);
    values.iter().zip(&back).map(square).sum::<f64>() / values.len() as f64
}

/// The least error of any range whose ends are hundredths of the widest.
fn least_error(values: &[f32], scheme: Scheme) -> f64 {
    let low = values.iter().copied().fold(0.0, f32::min);
    let high = values.iter().copied().fold(0.0, f32::max);
    let mut least = f64::INFINITY;
    for i in (1..=50).map(|i| i as f32 / 50.0) {
        for j in (1..=50).map(|j| j as f32 / 50.0) {
            let map = Affine::from_range(low * i, high * j, scheme).unwrap();
            least = least.min(error(map, values));
            if scheme == Scheme::Symmetric || low == 0.0 || high == 0.0 {
                break;
            }
        }
    }
    least
}

/// Nearly as good as any range that contains zero can be. The moving average forgets the ends of long
/// tails, which is what it is for: there it need only be good.
#[test]
fn every_calibration_keeps_every_kind_of_data() {
    for (name, values) in data() {
        let signal = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        for scheme in SCHEMES {
            let least = least_error(&values, scheme);
            for calibration in ALL {
                let bound = match calibration {
                    Calibration::MovingAverage { .. } => signal / values.len() as f64 / 300.0,
                    _ => 8.0 * least,
                };
                let got = error(learn(calibration, &values, scheme), &values);
                assert!(got <= bound, "{name} {scheme:?} {calibration:?}: {got:e}, {least:e}");
            }
        }
    }
}

#[test]
fn the_mse_range_is_nearly_the_best_there_is() {
    for (name, values) in data() {
        for scheme in SCHEMES {
            let got = error(learn(Calibration::Mse, &values, scheme), &values);
            let least = least_error(&values, scheme);
            assert!(got <= 1.05 * least, "{name} {scheme:?}: {got:e} instead of {least:e}");
        }
    }
}

#[test]
fn a_rare_outlier_moves_the_moving_average_little_and_min_max_fully() {
    for (name, values) in data() {
        let mut values = values.clone();
        values[3] = 1e4;
        let reach = |calibration| {
            let mut observer = Observer::new(calibration).unwrap();
            values.chunks(100).for_each(|batch| observer.observe(batch).unwrap());
            observer.range().unwrap().1
        };
        assert_eq!(reach(Calibration::MinMax), 1e4, "{name}");
        // The first batch of a hundred fades by 0.9 a batch.
        let faded = reach(Calibration::MovingAverage { weight: 0.1 });
        assert!(faded < 110.0, "{name}: {faded}");
    }
}

#[test]
fn constant_data_is_kept_by_every_calibration() {
    for calibration in ALL {
        for scheme in SCHEMES {
            for constant in [0.0, 5.0, -0.25, 1e-30, -1e30] {
                let map = learn(calibration, &[constant; 600], scheme);
                let mut code = [0];
                map.quantize(&[constant], &mut code);
                let back = map.decode(code[0]);
                assert!(
                    (back - constant).abs() <= 1e-2 * constant.abs(),
                    "{calibration:?} {scheme:?}: {constant} became {back}"
                );
            }
        }
    }
}
