//! Real data, briefly; the five-fold cross validation is among the benches.

use edgekit_neural_net::{Adam, Algorithm, Backprop, Rprop, TrainConfig, Trainer};

use crate::{digits, digits_network, go_on};

#[test]
fn a_few_epochs_tell_handwritten_digits() {
    let (train, held_out) = digits().folds(5, 1).unwrap().swap_remove(0);
    let cases = [
        (Algorithm::Incremental(Backprop { rate: 0.3, momentum: 0.0 }), None, 6),
        (Algorithm::Rprop(Rprop { initial: 0.01, ..Rprop::default() }), None, 60),
        (Algorithm::Adam(Adam { rate: 0.01, ..Adam::default() }), Some(64), 20),
    ];
    for (algorithm, batch, max_epochs) in cases {
        let config = TrainConfig { algorithm, batch, max_epochs, ..TrainConfig::default() };
        let mut trainer = Trainer::new(digits_network(32, 1), config).unwrap();
        trainer.train(&train, None, go_on).unwrap();
        let accuracy = trainer.evaluate(&held_out).unwrap().accuracy;
        assert!(accuracy > 0.93, "{algorithm:?}: {accuracy}");
    }
}
