//! What the registry resolves and lowers to: the model and wire plan of each fixture, as text.
//!
//! A changed rule of the protocol shows here; a change of the emitters does not.

mod common;

use common::Registry;

#[test]
fn plans_of_the_fixtures() {
    for name in common::names() {
        let plan = Registry::of(&name).describe();
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("plan__{name}"), plan);
        });
    }
}

#[test]
fn the_same_registry_gives_the_same_plan() {
    let registry = common::real();
    assert_eq!(registry.describe(), registry.describe());
}
