//! The table itself: every experiment that it names is there, and the kernel takes what it says that it takes.

use lastack_lab::namespace::Namespace;
use lastack_model::tune::{self, Format, Key, Proof, Scope};
use lastack_os::act::sysctl;
use std::fs;
use std::path::Path;

#[test]
fn every_setting_of_a_namespace_names_an_experiment_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace above lab/");
    for setting in tune::all() {
        let is_namespaced = setting.sysctl().is_some_and(|(_, _, scope)| scope == Scope::Namespace);
        let Proof::Experiment(proof) = setting.proof else {
            assert!(!is_namespaced, "{} names no experiment", setting.name);
            continue;
        };
        let (file, name) = proof.split_once("::").expect("a file and a test");
        let source = fs::read_to_string(root.join(file));
        let source = source.unwrap_or_else(|error| panic!("{}: {file}: {error}", setting.name));
        let test = format!("#[test]\nfn {name}()");
        assert!(source.contains(&test), "{}: {file} has no test {name}", setting.name);
    }
}

#[test]
fn the_kernel_has_every_setting_of_a_namespace_with_the_default_that_is_said() {
    Namespace::enter();
    for setting in tune::all() {
        let Some((_, path, scope)) = setting.sysctl() else { continue };
        let shown = sysctl::read(path).expect("a readable setting");
        match scope {
            Scope::Host => assert_eq!(shown, None, "{} is not in a namespace", setting.name),
            Scope::Namespace => {
                let shown = shown.unwrap_or_else(|| panic!("{} is missing", setting.name));
                let value = setting.format.read(&shown);
                assert_ne!(setting.differs(&value), Some(true), "{}: {value}", setting.name);
            }
        }
    }
}

#[test]
fn the_kernel_takes_both_ends_of_every_range_and_nothing_beyond_where_it_checks() {
    Namespace::enter();
    for setting in tune::all() {
        let Some((key, path, Scope::Namespace)) = setting.sysctl() else { continue };
        let Format::Number { least, most } = setting.format else { continue };
        let most = match key {
            // Bounded by the first port of the local range, which is another setting.
            Key::UnprivilegedPortStart => 32_768,
            _ => most,
        };
        for value in [least, most] {
            let shown = sysctl::write(path, &value.to_string());
            let shown = shown.unwrap_or_else(|error| panic!("{}={value}: {error}", setting.name));
            assert_eq!(shown.trim(), value.to_string(), "{}", setting.name);
        }
    }
}

#[test]
fn settings_of_the_host_are_shown_together_and_in_the_first_namespace_only() {
    for setting in tune::all() {
        let Some((_, path, Scope::Host)) = setting.sysctl() else { continue };
        let shown = sysctl::read(path).expect("a readable setting");
        assert_eq!(shown.is_some(), lastack_os::host::is_first_namespace(), "{}", setting.name);
    }
    Namespace::enter();
    assert!(!lastack_os::host::is_first_namespace());
}
