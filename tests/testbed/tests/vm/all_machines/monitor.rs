//! What whoever runs a machine does to it meanwhile.

use crate::common::{Place, steady};
use serde_json::json;

super::on_each_qemu! {
    steady:
    migration_is_refused_with_a_sentence,
    a_machine_that_was_paused_goes_on,
}

fn migration_is_refused_with_a_sentence(place: &Place) {
    // Before the guest mounts its job's folder, which would be a reason of its own.
    let mut session = place.machine("./venus-cases frames 300").args(["-S"]).start().unwrap();
    let mut monitor = session.monitor().unwrap();
    let refused = monitor.execute("migrate", &json!({ "uri": "file:/tmp/state" })).unwrap_err().to_string();
    assert!(refused.contains("virgl is not yet migratable"), "{refused}");
    monitor.execute("cont", &json!({})).unwrap();
    let report = session.finish().unwrap();
    assert!(report.out.contains("OK 300 frames"), "{}", report.out);
}

fn a_machine_that_was_paused_goes_on(place: &Place) {
    let mut session = place.machine("./venus-cases frames 3000 2>&1").start().unwrap();
    session.wait_for("READY").unwrap();
    let mut monitor = session.monitor().unwrap();
    monitor.execute("stop", &json!({})).unwrap();
    assert_eq!(monitor.execute("query-status", &json!({})).unwrap()["status"], "paused");
    monitor.execute("cont", &json!({})).unwrap();
    let report = session.finish().unwrap();
    assert!(report.out.contains("OK 3000 frames"), "{}", report.out);
}
