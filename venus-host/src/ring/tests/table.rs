//! Many rings.

use super::*;

#[test]
fn a_ring_id_exists_once() {
    let ring = Fixture::new(Mode::Polled);
    let again = ring.table.create(Arc::clone(&ring.control), ring.executor.clone());
    assert!(matches!(again, Err(HostError::Guest(fatal)) if fatal.member.as_deref() == Some("ring")));
}

#[test]
fn hundreds_of_threads_have_rings_of_their_own() {
    let ring = Fixture::new(Mode::Thread);
    let file = MemoryFile::create(4096).unwrap();
    for id in 0..600 {
        let control = control(RingId(id), &file, Mode::Thread, None);
        ring.table.create(control, ring.executor.clone()).unwrap();
    }
    for id in 0..600 {
        assert!(ring.table.destroy(RingId(id)), "{id}");
    }
}
