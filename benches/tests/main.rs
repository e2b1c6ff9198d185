//! The program asked through its own protocol, as the driver and `compare` ask it.

use std::path::Path;

use edgekit_benches::room::{Room, Wanted};

#[test]
fn a_room_declares_measures_and_pairs() {
    let dir = std::env::temp_dir().join(format!("edgekit-rooms-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_edgekit-benches"));
    let wanted = Wanted { full: false, only: vec!["kernels/dot/16/".to_owned()] };
    let mut room = Room::open(program, "kernels", &wanted, &dir.join("log")).unwrap();
    assert!(room.declared.failures.is_empty(), "{:?}", room.declared.failures);
    let naive = room.case("kernels/dot/16/naive").unwrap();
    let best = room.case("kernels/dot/16/best").unwrap();
    assert!(room.case("kernels/dot/384/best").is_none());
    let measured = room.measure(best).unwrap();
    assert_eq!(measured.id, "kernels/dot/16/best");
    assert!(measured.value > 0.0 && measured.low <= measured.high);
    assert!(room.run(naive, 1000).unwrap() > 0.0);
    assert!(room.pair(naive, best).unwrap().pairs >= 6);
    drop(room);
    std::fs::remove_dir_all(&dir).unwrap();
}
